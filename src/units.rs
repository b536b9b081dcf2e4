//! Quantities as people write them: durations (`500ms`), ratios (`1%`), percentiles (`p95`).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a quantity could not be read; the text is meant for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(String);

/// Reads `250us`, `500ms`, `2s`, `1.5s`, `3m` or `1h`. A bare number is refused: its unit would be a guess.
///
/// # Errors
/// When the text is no number followed by one of these units, is negative, or is longer than a year.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let text = text.trim();
    let refuse = || {
        UnitError(format!(
            "`{text}` is not a duration; write a number with a unit, like 500ms, 2s, 1.5s, 3m or 1h"
        ))
    };
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .ok_or_else(refuse)?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| refuse())?;
    let seconds = match unit.trim() {
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 86_400.0,
        _ => return Err(refuse()),
    };
    if seconds > 366.0 * 86_400.0 {
        return Err(UnitError(format!("`{text}` is longer than a year")));
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| refuse())
}

/// A duration as a reader takes it in at a glance: `87 µs`, `4.2 ms`, `312 ms`, `2.51 s`, `3 min 20 s`.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if duration.is_zero() {
        "0 ms".to_owned()
    } else if seconds < 0.001 {
        format!("{} µs", duration.as_micros())
    } else if seconds < 0.01 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 10.0 {
        let text = format!("{seconds:.2}");
        format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
    } else if seconds < 120.0 {
        let text = format!("{seconds:.1}");
        format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
    } else if seconds < 7200.0 {
        format!("{} min {:.0} s", duration.as_secs() / 60, seconds % 60.0)
    } else {
        format!(
            "{} h {} min",
            duration.as_secs() / 3600,
            duration.as_secs() % 3600 / 60
        )
    }
}

/// How often something happens, written `50/s`, `300/m` or `1000/h`; more than never.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(f64);

impl Rate {
    /// The most that is taken, a million a second: beyond it, the interval is shorter than a clock can tell.
    pub const MOST: Self = Self(1_000_000.0);
    /// Once a second.
    pub const ONE: Self = Self(1.0);

    /// Times per second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.0
    }

    /// Makes a rate of a number of times per second, more than 0 and at most a million.
    #[must_use]
    pub fn new(per_second: f64) -> Option<Self> {
        (per_second > 0.0 && per_second <= Self::MOST.0).then_some(Self(per_second))
    }

    /// Both together; at most a million a second.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self((self.0 + other.0).min(Self::MOST.0))
    }

    /// Reads `50/s`, `300/m` or `1000/h`.
    ///
    /// # Errors
    /// When the text is no such rate, is zero, or is beyond a million a second.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let (number, unit) = text.trim().split_once('/').unwrap_or(("", ""));
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => f64::NAN,
        };
        let number: f64 = number.trim().parse().unwrap_or(f64::NAN);
        Self::new(number / seconds).ok_or_else(|| {
            UnitError(format!(
                "`{text}` is not a rate; write 50/s, 300/m or 1000/h (more than 0, at most 1000000/s)"
            ))
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = if self.0 >= 1.0 {
            (self.0, "s")
        } else if self.0 >= 1.0 / 60.0 {
            (self.0 * 60.0, "m")
        } else {
            (self.0 * 3600.0, "h")
        };
        write!(f, "{}/{unit}", (number * 100.0).round() / 100.0)
    }
}

/// A share between 0 and 1, written `1%` or `0.01`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratio(f64);

impl Ratio {
    /// One in a hundred.
    pub const ONE_PERCENT: Self = Self(0.01);

    /// The share as a number between 0 and 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Makes a ratio of a number that is at least 0 and at most 1; NaN is refused.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// Reads `1%`, `0.5 %` or `0.01`.
    ///
    /// # Errors
    /// When the text is no such number, or lies outside 0 % to 100 %.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let trimmed = text.trim();
        let (number, scale) = match trimmed.strip_suffix('%') {
            Some(number) => (number.trim(), 100.0),
            None => (trimmed, 1.0),
        };
        number
            .parse::<f64>()
            .ok()
            .and_then(|value| Self::new(value / scale))
            .ok_or_else(|| {
                UnitError(format!(
                    "`{text}` is not a share; write 1% or 0.01 (0% to 100%)"
                ))
            })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_percent(self.0))
    }
}

/// A share as text: `0 %`, `0.034 %`, `1 %`, `12.5 %`; small shares keep two significant digits so that 1 in 10,000 is not shown as 0 %.
#[must_use]
pub fn show_percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = if percent == 0.0 || percent >= 10.0 {
        format!("{percent:.1}")
    } else if percent >= 1.0 {
        format!("{percent:.2}")
    } else {
        let digits = (1.0 - percent.log10().floor()).clamp(2.0, 8.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 2..=8 above"
        )]
        let digits = digits as usize;
        format!("{percent:.digits$}")
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{} %", if text.is_empty() { "0" } else { text })
}

/// A percentile strictly between 0 and 100, written `p95` or `p99.9`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percentile(f64);

impl Percentile {
    /// The 95th percentile, the platform's own measure of response time.
    pub const P95: Self = Self(95.0);

    /// The share of samples at or below the percentile, between 0 and 1.
    #[must_use]
    pub fn quantile(self) -> f64 {
        self.0 / 100.0
    }

    /// Reads `p50`, `p95` or `p99.9`.
    ///
    /// # Errors
    /// When the text is not `p` and a number above 0 and below 100.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        text.strip_prefix('p')
            .filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
            .and_then(|number| number.parse::<f64>().ok())
            .filter(|p| *p > 0.0 && *p < 100.0)
            .map(Self)
            .ok_or_else(|| {
                UnitError(format!(
                    "`{text}` is not a percentile; write p50, p95 or p99.9"
                ))
            })
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, shown, per_second) in [
            ("50/s", "50/s", 50.0),
            ("300/m", "5/s", 5.0),
            ("90/ h", "1.5/m", 0.025),
            ("12/h", "12/h", 12.0 / 3600.0),
        ] {
            let rate = Rate::parse(text).unwrap();
            assert_eq!(rate.to_string(), shown);
            assert!((rate.per_second() - per_second).abs() < 1e-12);
        }
        for text in [
            "",
            "50",
            "0/s",
            "-1/s",
            "NaN/s",
            "inf/s",
            "5/d",
            "/s",
            "2000000/s",
        ] {
            assert!(Rate::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for bad in [
            "",
            "5",
            "-1s",
            "s",
            "1 parsec",
            "1.2.3s",
            "NaNs",
            "999999999h",
            "1e9s",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn ratios_stay_between_nothing_and_everything() {
        assert_eq!(Ratio::parse("1%"), Ratio::parse("0.01"));
        assert_eq!(Ratio::parse("100 %").map(Ratio::get), Ok(1.0));
        for bad in ["101%", "-1%", "NaN", "inf", "", "%", "1.5"] {
            assert!(Ratio::parse(bad).is_err(), "{bad} was accepted");
        }
        assert_eq!(show_percent(0.000_034), "0.0034 %");
        assert_eq!(show_percent(0.0), "0 %");
        assert_eq!(show_percent(0.01), "1 %");
        assert_eq!(show_percent(0.125), "12.5 %");
        assert_eq!(show_percent(1.0), "100 %");
    }

    #[test]
    fn percentiles_exclude_their_ends() {
        assert_eq!(Percentile::parse("p95"), Ok(Percentile::P95));
        assert_eq!(
            Percentile::parse("p99.9").map(|p| p.to_string()),
            Ok("p99.9".to_owned())
        );
        for bad in ["95", "p0", "p100", "p", "pNaN", "p-5", "pinf"] {
            assert!(Percentile::parse(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn durations_are_shown_in_the_unit_a_reader_expects() {
        let shown: Vec<String> = [
            0,
            87,
            4_200,
            312_000,
            999_600,
            1_000_000,
            2_513_000,
            12_340_000,
            200_000_000,
        ]
        .map(|us| show_duration(Duration::from_micros(us)))
        .to_vec();
        assert_eq!(
            shown,
            [
                "0 ms",
                "87 µs",
                "4.2 ms",
                "312 ms",
                "1 s",
                "1 s",
                "2.51 s",
                "12.3 s",
                "3 min 20 s"
            ]
        );
    }
}
