//! How a stream is listened to: what ends it, what of it is a token, how the tokens came.

use std::time::Duration;

use crate::event::Timings;

/// Whether something holds of one event: its name and its data. Messages of a socket are called `message`.
pub type OfEvent<'a> = &'a (dyn Fn(&str, &str) -> bool + Sync);

/// What ends the reading.
#[derive(Clone, Copy)]
pub enum Until<'a> {
    /// The end of the stream.
    End,
    /// The first event for which this holds; a stream that ends before it is truncated.
    Event(OfEvent<'a>),
}

/// What ends the reading, and which events are tokens.
#[derive(Clone, Copy)]
pub struct Listening<'a> {
    /// What ends it.
    pub until: Until<'a>,
    /// Which events are tokens; without it, each that is not empty.
    pub token: Option<OfEvent<'a>>,
}

impl<'a> From<Until<'a>> for Listening<'a> {
    fn from(until: Until<'a>) -> Self {
        Self { until, token: None }
    }
}

impl Listening<'_> {
    /// Whether nothing more is to be read after this event.
    pub(super) fn ends_at(&self, name: &str, data: &str) -> bool {
        matches!(self.until, Until::Event(holds) if holds(name, data))
    }

    /// Whether this event is a token.
    pub(super) fn is_token(&self, name: &str, data: &str) -> bool {
        self.token
            .map_or(!data.is_empty(), |holds| holds(name, data))
    }
}

/// Notes when the events of one stream came: the first token, the times between tokens, the longest silence of all.
#[derive(Debug, Default)]
pub(super) struct Pace {
    event: Option<Duration>,
    token: Option<Duration>,
}

impl Pace {
    /// An event came, this long after the request was sent.
    pub(super) fn event(
        &mut self,
        now: Duration,
        is_token: bool,
        timings: &mut Timings,
        gaps: &mut Vec<Duration>,
    ) {
        self.silence(now, timings);
        if !is_token {
            return;
        }
        match self.token.replace(now) {
            None => timings.first_token = Some(now),
            Some(last) => gaps.push(now.saturating_sub(last)),
        }
    }

    /// Something ended a silence, an event or the end. The first silence is the one after the first event.
    pub(super) fn silence(&mut self, now: Duration, timings: &mut Timings) {
        if let Some(last) = self.event.replace(now) {
            let gap = now.saturating_sub(last);
            timings.max_gap = Some(timings.max_gap.map_or(gap, |longest| longest.max(gap)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_the_gaps_and_the_longest_silence() {
        let (mut pace, mut timings, mut gaps) = (Pace::default(), Timings::default(), Vec::new());
        let ms = Duration::from_millis;
        for (at, is_token) in [
            (5, false),
            (20, true),
            (120, true),
            (125, false),
            (127, true),
        ] {
            pace.event(ms(at), is_token, &mut timings, &mut gaps);
        }
        assert_eq!(
            timings.first_token,
            Some(ms(20)),
            "an event without content is no token"
        );
        assert_eq!(gaps, [ms(100), ms(7)], "from token to token");
        assert_eq!(timings.max_gap, Some(ms(100)));
        pace.silence(ms(400), &mut timings);
        assert_eq!(timings.max_gap, Some(ms(273)), "silence before the end too");
        assert_eq!(gaps.len(), 2);
    }

    #[test]
    fn what_is_a_token_can_be_said() {
        let by_default = Listening::from(Until::End);
        assert!(by_default.is_token("done", "x"));
        assert!(!by_default.is_token("token", ""));
        assert!(!by_default.ends_at("done", "x"));
        let holds = |name: &str, _: &str| name == "token";
        let listening = Listening {
            until: Until::Event(&|_, data| data == "bye"),
            token: Some(&holds),
        };
        assert!(listening.is_token("token", "") && !listening.is_token("done", "x"));
        assert!(listening.ends_at("token", "bye") && !listening.ends_at("token", "x"));
    }
}
