//! Whether a failed attempt is followed by another, and after what pause. Pure.

use std::time::Duration;

use crate::event::{Failure, FailureKind};
use crate::plan::{Cause, Retry};

/// The failure may pass, as far as the recipe is concerned. A missing tool, a refused input, a full disk and a defect stay
/// what they are, whatever it says.
pub(super) fn may_pass(retry: &Retry, failure: &Failure) -> bool {
    let fits = |cause: &Cause| match (*cause, failure.kind) {
        (Cause::Emulation, _) => failure.emulation,
        (Cause::Exit(wanted), FailureKind::Exit { code }) => wanted.is_none_or(|wanted| wanted == code),
        (Cause::Signal(wanted), FailureKind::Signal { signal }) => {
            wanted.is_none_or(|wanted| wanted == signal)
        }
        (Cause::Timeout, FailureKind::Timeout)
        | (Cause::Unreachable, FailureKind::Unreachable)
        | (Cause::Io, FailureKind::Io)
        | (Cause::Mismatch, FailureKind::Mismatch) => true,
        _ => false,
    };
    retry.on.iter().any(fits)
}

/// The pause after an attempt; 1 is the first.
pub(super) fn pause(retry: &Retry, attempt: u32) -> Duration {
    let Some(most) = retry.max_delay else { return retry.delay };
    let doubled = 1u32.checked_shl(attempt - 1).and_then(|times| retry.delay.checked_mul(times));
    doubled.unwrap_or(most).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_pass(retry: &Retry, kind: FailureKind) -> bool {
        super::may_pass(retry, &Failure::new(kind, ""))
    }

    #[test]
    fn what_emulation_did_is_a_cause_of_its_own_and_an_exit_as_well() {
        let failure = |emulation| Failure { emulation, ..Failure::new(FailureKind::Exit { code: 1 }, "") };
        let retry = |on| Retry { on, ..Retry::new(3, Duration::ZERO) };
        let emulation = retry(vec![Cause::Emulation]);
        assert!(super::may_pass(&emulation, &failure(true)) && !super::may_pass(&emulation, &failure(false)));
        assert!(super::may_pass(&retry(vec![Cause::Exit(None)]), &failure(true)));
    }

    #[test]
    fn only_what_the_recipe_names_and_never_what_stays() {
        let usual = Retry::new(3, Duration::ZERO);
        for kind in [
            FailureKind::Exit { code: 1 },
            FailureKind::Signal { signal: 9 },
            FailureKind::Timeout,
            FailureKind::Unreachable,
            FailureKind::Io,
        ] {
            assert!(may_pass(&usual, kind), "{kind:?}");
            assert!(!may_pass(&Retry { on: Vec::new(), ..usual.clone() }, kind));
        }
        assert!(!may_pass(&usual, FailureKind::Mismatch));
        let all = Cause::NAMES.iter().map(|name| name.parse().unwrap()).collect();
        let all = Retry { on: all, ..usual.clone() };
        assert!(may_pass(&all, FailureKind::Mismatch));
        for kind in [FailureKind::NoSpace, FailureKind::Tool, FailureKind::Input, FailureKind::Internal] {
            assert!(!may_pass(&all, kind), "{kind:?}");
        }
        let one = Retry { on: vec![Cause::Exit(Some(75)), Cause::Signal(Some(9))], ..usual };
        assert!(
            may_pass(&one, FailureKind::Exit { code: 75 }) && !may_pass(&one, FailureKind::Exit { code: 1 })
        );
        assert!(!may_pass(&one, FailureKind::Signal { signal: 15 }));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let second = Duration::from_secs(1);
        let retry = Retry { max_delay: Some(5 * second), ..Retry::new(100, second) };
        let pauses: Vec<u64> = [1, 2, 3, 4, 50].map(|attempt| pause(&retry, attempt).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 5, 5]);
        assert_eq!(pause(&Retry::new(9, second), 7), second);
    }
}
