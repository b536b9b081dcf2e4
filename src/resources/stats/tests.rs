//! Answers as engines give them, cut to what is near.

use super::*;
use crate::resources::engine::Answer;

/// Docker 20.10 on cgroup v1, a uvicorn with files that it had read.
const V1: &str = r#"{"read":"2026-11-24T02:45:21.507432456Z","preread":"0001-01-01T00:00:00Z","pids_stats":{"current":5},"num_procs":0,"storage_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":1104616985,"percpu_usage":[444161616,660455369],"usage_in_kernelmode":310000000,"usage_in_usermode":780000000},"system_cpu_usage":63079870000000,"online_cpus":2,"throttling_data":{"periods":208,"throttled_periods":0,"throttled_time":0}},"precpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{"usage":82931712,"max_usage":86249472,"stats":{"active_file":163840,"cache":29659136,"hierarchical_memory_limit":268435456,"inactive_file":20000000,"rss":50814976,"total_inactive_file":29495296,"total_rss":50814976},"limit":268435456},"name":"/stack_backend_1"}"#;

/// On cgroup v2: no `percpu_usage`, other names for memory.
const V2: &str = r#"{"read":"2026-11-24T02:45:22.507432456Z","preread":"0001-01-01T00:00:00Z","pids_stats":{"current":5,"limit":18446744073709551615},"num_procs":0,"cpu_stats":{"cpu_usage":{"total_usage":1504616000,"usage_in_kernelmode":310000000,"usage_in_usermode":780000000},"system_cpu_usage":63081870000000,"online_cpus":2,"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{"usage":10485760,"stats":{"active_anon":4096,"anon":6291456,"file":4194304,"file_mapped":0,"inactive_anon":6287360,"inactive_file":3145728,"kernel_stack":98304},"limit":4117778432},"name":"/stack_redis_1"}"#;

/// Of a container that was killed.
const STOPPED: &str = r#"{"read":"0001-01-01T00:00:00Z","preread":"0001-01-01T00:00:00Z","pids_stats":{},"num_procs":0,"storage_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{},"name":"/stack_nginx_1"}"#;

fn read(body: &str) -> Result<Option<Usage>, Unread> {
    let body = body.to_owned().into();
    Usage::of(&Answer { status: 200, body }, "/containers/ID/stats")
}

fn usage(body: &str) -> Usage {
    read(body).unwrap().unwrap()
}

#[test]
fn memory_is_what_docker_stats_shows() {
    // Of all cgroups below, not of the container's own alone.
    assert_eq!(usage(V1).memory_bytes, Some(82_931_712 - 29_495_296));
    assert_eq!(usage(V2).memory_bytes, Some(10_485_760 - 3_145_728));
    let more_cached = V2.replace("\"inactive_file\":3145728", "\"inactive_file\":99999999");
    assert_eq!(usage(&more_cached).memory_bytes, Some(10_485_760));
    let no_details = V2.replace("\"stats\":{", "\"other\":{");
    assert_eq!(usage(&no_details).memory_bytes, Some(10_485_760));
    let nothing = V2.replace("\"usage\":10485760", "\"usages\":1");
    assert_eq!(usage(&nothing).memory_bytes, None, "absent is not zero");
}

#[test]
fn cpu_is_what_was_used_over_the_engines_own_time() {
    // 0.4 s of CPU in 1 s.
    assert_eq!(usage(V2).cpu_permille_since(&usage(V1)), Some(400));
    let half_a_second = V2.replace("02:45:22.507", "02:45:22.007");
    assert_eq!(
        usage(&half_a_second).cpu_permille_since(&usage(V1)),
        Some(800)
    );
    let two_cores = V2.replace("1504616000", "3104616985");
    assert_eq!(usage(&two_cores).cpu_permille_since(&usage(V1)), Some(2000));
}

#[test]
fn where_two_samples_do_not_compare_there_is_no_cpu() {
    let same = usage(V1);
    assert_eq!(same.cpu_permille_since(&same), None, "no time between");
    assert_eq!(usage(V1).cpu_permille_since(&usage(V2)), None, "backwards");
    let anew = V2.replace("1504616000", "1000");
    assert_eq!(usage(&anew).cpu_permille_since(&usage(V1)), None, "anew");
    let untold = V2.replace("total_usage", "total");
    assert_eq!(usage(&untold).cpu_permille_since(&usage(V1)), None);
}

#[test]
fn a_container_that_does_not_run_uses_nothing_that_could_be_told() {
    assert_eq!(read(STOPPED).unwrap(), None);
    assert_eq!(read("").unwrap(), None, "removed while it was measured");
}

#[test]
fn what_is_no_answer_is_refused_and_never_taken_for_zero() {
    for bad in [
        "{",
        "[]",
        "{}",
        "null",
        r#"{"read":"yesterday"}"#,
        r#"{"read":1}"#,
        &V2.replace("1504616000", "-1"),
        &V2.replace("1504616000", "\"many\""),
        &V2.replace("1504616000", "1e300"),
        &V2[..V2.len() / 2],
    ] {
        let refused = read(bad);
        assert!(refused.is_err(), "{bad}: {refused:?}");
    }
}
