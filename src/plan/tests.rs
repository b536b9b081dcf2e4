//! Plans as people write them: the project's own one loads, and what is wrong with others is told.

use std::path::Path;

use super::*;

fn vars() -> Vars {
    let mut vars = Vars::default();
    for name in [
        "LEARNER_PASSWORD",
        "PRODUCTION_URL",
        "GATES_DEMO_URL",
        "DATABASE_URL",
        "REDIS_URL",
    ] {
        vars.set(name, "https://user:pass-of-word@host.test");
    }
    vars.set(
        "DATABASE_URL",
        "postgresql+asyncpg://app:db-secret@db:5432/app",
    );
    vars.set("REDIS_URL", "redis://:redis-secret@cache:6379/0");
    for agent in [
        "ORCHESTRATOR",
        "COURSE_PLANNER",
        "CONTENT_CREATOR",
        "QUALITY_ASSURANCE",
    ] {
        vars.set(format!("GATES_DEMO_{agent}_URL"), "http://127.0.0.1:1");
    }
    vars
}

fn show(result: Result<Plan, Vec<Finding>>) -> Plan {
    result.unwrap_or_else(|findings| {
        panic!(
            "{}",
            findings
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

#[test]
fn the_projects_own_plan_loads_for_every_environment() {
    let project = Project::open(Path::new("gates.toml")).unwrap();
    for name in ["demo", "staging", "production"] {
        let plan = show(Plan::load(&project, name, &vars(), &Choice::default()));
        let mut ids: Vec<_> = plan.declare().into_iter().map(|c| c.id).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "ids are unique");
    }
}

#[test]
fn a_protected_environment_is_only_looked_at() {
    let project = Project::open(Path::new("gates.toml")).unwrap();
    let plan = show(Plan::load(
        &project,
        "production",
        &vars(),
        &Choice::default(),
    ));
    let writes = plan
        .declare()
        .into_iter()
        .find(|c| c.id == "smoke/account/register")
        .unwrap();
    let crate::event::Subject::NotSaid { question } = writes.subject else {
        panic!("{writes:?}")
    };
    assert!(
        question.contains("--allow-protected production"),
        "{question}"
    );
    let plan = show(Plan::load(
        &project,
        "production",
        &vars(),
        &Choice {
            protected: Protected::Allow,
            profile: None,
        },
    ));
    assert!(!plan.declare().iter().any(|c| matches!(
        c.subject,
        crate::event::Subject::NotAllowed { .. } | crate::event::Subject::NotSaid { .. }
    )));
}

#[test]
fn what_nobody_allowed_or_excluded_is_not_known() {
    let subjects = |said: &str| {
        let text = format!(
            "gates = 1\nproject = {{ name = \"p\" }}\ntargets = {{ errors = \"1%\", p95 = \"2s\" }}\n[environments.e]\nurl = \"http://h\"\n{said}\
             variables = {{ learner_password = \"x\" }}\n"
        );
        let source = crate::plan::SourceFile::new("gates.toml", &text);
        let project = Project::parse(source, Path::new("")).unwrap();
        let plan = show(Plan::load(&project, "e", &vars(), &Choice::default()));
        let subject = |id: &str| {
            plan.declare()
                .into_iter()
                .find(|c| c.id == id)
                .unwrap()
                .subject
        };
        [
            subject("smoke/account/register"),
            subject("load/health/home page/p95"),
        ]
    };
    for (said, key) in subjects("").into_iter().zip(["writes", "load"]) {
        let crate::event::Subject::NotSaid { question } = said else {
            panic!("{said:?}")
        };
        assert!(
            question.contains(&format!("set `{key}` to true or false")),
            "{question}"
        );
    }
    for excluded in subjects("writes = false\nload = false\n") {
        assert!(
            matches!(excluded, crate::event::Subject::NotAllowed { .. }),
            "{excluded:?}"
        );
    }
}

#[test]
fn a_load_that_nothing_is_demanded_of_is_refused() {
    let plan = |targets: &str, load: &str| {
        let text = format!(
            "gates = 1\nload = {{ rate = \"5/s\" }}\nproject = {{ name = \"p\", scenarios = [\"scenarios/health.yaml\"] }}\n{targets}[environments.e]\nurl = \"http://h\"\n{load}"
        );
        let source = crate::plan::SourceFile::new("gates.toml", &text);
        let project = Project::parse(source, Path::new("")).unwrap();
        Plan::load(&project, "e", &vars(), &Choice::default()).map(|_| ())
    };
    let findings = plan("", "load = true\n").unwrap_err();
    assert!(
        findings[0]
            .message
            .contains("under load without a target for errors"),
        "{}",
        findings[0]
    );
    assert!(plan("targets = { p95 = \"1s\" }\n", "load = true\n").is_err());
    assert!(plan("targets = { errors = \"1%\" }\n", "load = true\n").is_ok());
    assert!(plan("", "load = false\n").is_ok());
    assert!(plan("", "load = true\nstages = [\"smoke\"]\n").is_ok());
}

#[test]
fn secrets_of_an_environment_are_known() {
    let project = Project::open(Path::new("gates.toml")).unwrap();
    let plan = show(Plan::load(&project, "staging", &vars(), &Choice::default()));
    let shown = plan
        .redactor
        .text("db-secret redis-secret https://user:pass-of-word@host.test");
    assert_eq!(shown.as_str(), "‹redacted› ‹redacted› ‹redacted›");
}

fn toml_findings(text: &str) -> String {
    let source = SourceFile::new("gates.toml", text);
    let project = match Project::parse(source, Path::new("")) {
        Ok(project) => project,
        Err(finding) => return finding.render(false),
    };
    match project.settings("staging", &vars(), &Choice::default()) {
        Ok(_) => "accepted".to_owned(),
        Err(findings) => findings
            .iter()
            .map(|f| f.render(false))
            .collect::<Vec<_>>()
            .join("\n\n"),
    }
}

const HEAD: &str = "gates = 1\nproject = { name = \"p\" }\n";

#[test]
fn mistakes_in_gates_toml_are_told() {
    let environment =
        |rest: &str| format!("{HEAD}[environments.staging]\nurl = \"http://localhost\"\n{rest}");
    let cases = [
        String::new(),
        "gates = 2\n[project]\nname = \"p\"\n[environments.staging]\nurl = \"http://h\"\n"
            .to_owned(),
        format!("{HEAD}[environments.stagin]\nurl = \"http://h\"\n"),
        format!("{HEAD}[environments.staging]\n"),
        format!("{HEAD}[environments.staging]\nurl = \"localhost:80\"\n"),
        format!("{HEAD}[environments.staging]\nurl = \"ftp://localhost\"\n"),
        format!("{HEAD}[environments.staging]\nurl = \"${{env.NOWHERE}}\"\n"),
        format!("{HEAD}[environments.staging]\nurl = \"http://${{where}}\"\n"),
        format!("{HEAD}target = {{ p95 = \"2s\" }}\n[environments.staging]\nurl = \"http://h\"\n"),
        format!(
            "{HEAD}targets = {{ p95 = \"2\", p101 = \"1s\", errors = \"200%\", p99 = \"0s\", decide = \"maybe\" }}\n[environments.staging]\nurl = \"http://h\"\n"
        ),
        format!(
            "{HEAD}load = {{ users = 5, rate = \"50\", spacing = \"odd\" }}\n[environments.staging]\nurl = \"http://h\"\n"
        ),
        format!(
            "{HEAD}load = {{ users = 5, max_users = 9 }}\n[environments.staging]\nurl = \"http://h\"\n"
        ),
        format!(
            "{HEAD}load = {{ users = 0, hold = \"0s\", ramp = \"1s\" }}\n[environments.staging]\nurl = \"http://h\"\n"
        ),
        environment("stages = [\"smoke\", \"laod\"]\n"),
        environment("writes = \"yes\"\nmax_users = 5\n"),
        environment("http2 = \"prior-knowlege\"\n"),
        environment("[[environments.staging.services]]\nurl = \"http://h\"\n"),
        environment(
            "[[environments.staging.services]]\nname = \"a\"\nprobe = \"mysql\"\nurl = \"http://h\"\n",
        ),
        environment(
            "[[environments.staging.services]]\nname = \"a\"\nurl = \"http://h\"\nexpect = []\n",
        ),
        environment(
            "[[environments.staging.services]]\nname = \"a\"\nurl = \"http://h\"\nexpect = [\"status = 200\"]\ngate = \"optional\"\n",
        ),
        environment(
            "[[environments.staging.agents]]\nname = \"a\"\nurl = \"http://h\"\n[[environments.staging.agents]]\nname = \"a\"\nurl = \"http://h\"\n",
        ),
        environment(
            "aggregate = { url = \"http://h\", agents = [\"planer\"] }\n[[environments.staging.agents]]\nname = \"planner\"\nurl = \"http://h\"\n",
        ),
        environment("resources = {}\n"),
        environment("resources = { dokcer = { project = \"p\" } }\n"),
        environment(
            "resources.docker = { socket = \"tcp://host:2375\" }\nresources.prometheus = { url = \"localhost:9090\", queries = {} }\n",
        ),
        environment(
            "resources.docker = { project = \" \", sockets = 1 }\nresources.prometheus = { url = \"http://h:9090\" }\n",
        ),
        environment(
            "resources.prometheus = { url = \"http://h:9090\", queries = { a = \"\", b = [1], c = \"${env.NOWHERE}\" } }\n",
        ),
        environment("variables = { url = \"x\", a = { value = \"x\", secert = true } }\n"),
        "gates = 1\n[project\n".to_owned(),
    ];
    let told: Vec<_> = cases.iter().map(|text| toml_findings(text)).collect();
    assert!(
        !told.contains(&"accepted".to_owned()),
        "case {:?}",
        told.iter().position(|t| t == "accepted")
    );
    insta::assert_snapshot!(told.join("\n\n----\n\n"));
}

#[test]
fn resource_use_is_declared_where_it_is_asked_for() {
    let declared = |load: &str| {
        let text = format!(
            "gates = 1\nload = {{ rate = \"5/s\" }}\nproject = {{ name = \"p\", scenarios = [\"scenarios/health.yaml\"] }}\ntargets = {{ errors = \"1%\", p95 = \"2s\" }}\n\
             [environments.e]\nurl = \"http://h\"\nload = true\n{load}\n\
             resources.docker = {{ socket = \"unix:///run/d.sock\", project = \"${{env.LEARNER_PASSWORD}}\" }}\n\
             resources.prometheus = {{ url = \"http://u:prometheus-secret@h:9090/\", queries = {{ \"b c\" = \"up\", a = \"sum(x)\" }} }}\n"
        );
        let source = crate::plan::SourceFile::new("gates.toml", &text);
        let project = Project::parse(source, Path::new("")).unwrap();
        show(Plan::load(&project, "e", &vars(), &Choice::default()))
    };
    let plan = declared("");
    let resources = plan.environment.resources.clone().unwrap();
    let docker = resources.docker.clone().unwrap();
    assert_eq!(docker.socket, Path::new("/run/d.sock"));
    assert_eq!(docker.project, "https://user:pass-of-word@host.test");
    let names: Vec<_> = resources.queries().map(|q| q.name.as_str()).collect();
    assert_eq!(names, ["a", "b c"]);
    let prometheus = resources.prometheus.unwrap();
    assert_eq!(prometheus.url, "http://u:prometheus-secret@h:9090");
    assert!(
        !plan
            .redactor
            .text("prometheus-secret")
            .as_str()
            .contains("secret")
    );
    let gates = |plan: &Plan| {
        let all = plan.declare();
        ["load/resources", "load/restarts"].map(|id| {
            let check = all.iter().find(|c| c.id == id).unwrap();
            assert_eq!(check.source.as_ref().unwrap().file, "gates.toml");
            check.gate
        })
    };
    use crate::event::Gate::{Advisory, Mandatory};
    assert_eq!(gates(&plan), [Advisory, Mandatory]);
    let search = declared("profile = \"breakpoint\"\n");
    assert_eq!(
        gates(&search),
        [Advisory, Advisory],
        "something has to give way"
    );
}

fn scenario_findings(text: &str) -> String {
    let names = ["url".to_owned(), "learner_password".to_owned()].into();
    let source = SourceFile::new("scenarios/bad.yaml", text);
    match read_scenario(&source, &vars(), &names) {
        Ok(_) => "accepted".to_owned(),
        Err(findings) => findings
            .iter()
            .map(|f| f.render(false))
            .collect::<Vec<_>>()
            .join("\n\n"),
    }
}

#[test]
fn mistakes_in_scenarios_are_told() {
    let step = |rest: &str| format!("gates: 1\nname: s\nsteps:\n  - name: a\n    {rest}\n");
    let get = |rest: &str| step(&format!("http: GET ${{url}}/\n    {rest}"));
    let cases = [
        String::new(),
        "just text\n".to_owned(),
        "gates: 1\nname: s\n".to_owned(),
        "gates: 3\nname: a/b\nsteps: []\n".to_owned(),
        "name: s\nsteps: 5\n".to_owned(),
        "gates: 1\nname: s\nstep:\n  - name: a\n".to_owned(),
        step("expect: [status == 200]"),
        step("http: GET ${url}\n    sse: GET ${url}\n    expect: [status == 200]"),
        step("http: FETCH ${url}\n    expect: [status == 200]"),
        step("http: ${url}\n    expect: [status == 200]"),
        get("expect: []"),
        get("headers: {a: b}"),
        get("expect: [stauts == 200]\n    tiemout: 5s"),
        get("expect: [status == ${url}]"),
        get("expect: [status == 200]\n    timeout: 5"),
        get("expect: [status == 200]\n    think: 5s..2s"),
        get("expect: [status == 200]\n    until: event == done"),
        get("expect: [status == 200]\n    token: event == token"),
        step("sse: GET ${url}\n    token: evnt == token\n    expect: [status == 200]"),
        get("expect: [status == 200]\n    target: {first_token.p95: 1s}"),
        get("expect: [status == 200]\n    target: {p59: fast, p95x: 1s}"),
        get("expect: [status == 200]\n    json: {a: 1}\n    body: x"),
        get("expect: [status == 200]\n    headers: {\"bad header\": x, ok: \"${nothing}\"}"),
        get("expect: [status == 200]\n    headers: {a: \"${learner_pasword}\", b: \"${data.email}\"}"),
        get("expect: [status == 200]\n    capture: {token: jsonpath $.t == 5}"),
        get("expect: [status == 200]\n    redirects: folow"),
        get("expect: [status == 200]\n    redirects: 11"),
        step("websocket: ${url}\n    expect: [status == 101]\n    redirects: 3"),
        get("expect: [status == 200]\n    retry: {every: 1s}"),
        get("expect: [status == 200]\n    retry: {until: status == 200, evry: 1s}"),
        "gates: 1\nname: s\ndata: {file: none.csv, pick: some}\nsteps:\n  - name: a\n    http: GET ${url}\n    expect: [status == 200]\n".to_owned(),
        "gates: 1\nname: s\ndata: {file: none.csv}\nsteps:\n  - name: a\n    http: GET ${url}\n    expect: [status == 200]\n".to_owned(),
        "gates: 1\nname: s\nsteps:\n  - name: a\n    http: GET ${url}/${t}\n    expect: [status == 200]\n  - name: a\n    http: GET ${url}\n    expect: [status == 200]\n    capture: {t: jsonpath $.t}\n".to_owned(),
    ];
    let told: Vec<_> = cases.iter().map(|text| scenario_findings(text)).collect();
    assert!(
        !told.contains(&"accepted".to_owned()),
        "case {:?}",
        told.iter().position(|t| t == "accepted")
    );
    insta::assert_snapshot!(told.join("\n\n----\n\n"));
}

#[test]
fn environment_variables_that_are_missing_are_told() {
    insta::assert_snapshot!(scenario_findings(
        "gates: 1\nname: s\nsteps:\n  - name: a\n    http: GET ${env.LEARNER_PASSWRD}/\n    expect: [status == 200]\n"
    ));
}
