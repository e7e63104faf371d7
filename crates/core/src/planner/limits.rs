//! The bounds that a step's common keys set: `timeout`, `silent-timeout`, `retry`, `max-log`, `pool`.

use std::time::Duration;

use crate::diag::{Diagnostic, did_you_mean, list_names};
use crate::plan::{Cause, Instance, Retry, Share};
use crate::spec::{Common, Pools, RetrySpec, Str};
use crate::steps::{Lower, Refused};

/// A log that is shorter tells nothing.
const LEAST_LOG: u64 = 1 << 10;

/// A longer one is no bound.
const MOST_LOG: u64 = 1 << 40;

/// What an instance gets of them.
pub(super) struct Limits {
    timeout: Option<Duration>,
    silent_timeout: Option<Duration>,
    retry: Option<Retry>,
    max_log: Option<u64>,
    share: Option<Share>,
}

impl Limits {
    /// Reads all of them, so that everything that is wrong is reported.
    pub(super) fn read(common: &Common, pools: &Pools, cx: &mut Lower<'_>) -> Result<Self, Refused> {
        let mut time = |key: &Option<Str>| key.as_ref().map(|text| cx.duration(text)).transpose();
        let (timeout, silent_timeout) = (time(&common.timeout), time(&common.silent_timeout));
        let retry = common.retry.as_ref().map(|spec| retry(spec, cx)).transpose();
        let max_log = common.max_log.as_ref().map(|text| size(text, cx)).transpose();
        // One that is not declared was reported.
        let share = common.pool.as_ref().and_then(|name| {
            let at_once = pools.bound(&name.value)?;
            Some(Share { pool: name.value.as_str().into(), at_once })
        });
        Ok(Self {
            timeout: timeout?,
            silent_timeout: silent_timeout?,
            retry: retry?,
            max_log: max_log?,
            share,
        })
    }

    /// Hands them to the instance.
    pub(super) fn put(self, instance: &mut Instance) {
        instance.timeout = self.timeout;
        instance.silent_timeout = self.silent_timeout;
        instance.retry = self.retry;
        instance.max_log = self.max_log;
        instance.share = self.share;
    }
}

fn retry(spec: &RetrySpec, cx: &mut Lower<'_>) -> Result<Retry, Refused> {
    let mut time = |key: &Option<Str>| key.as_ref().map(|text| cx.duration(text)).transpose();
    let (delay, max_delay) = (time(&spec.delay), time(&spec.max_delay));
    let on = match &spec.on {
        None => Ok(Cause::usual()),
        // All of them, so that all that is wrong is reported.
        Some(causes) => causes.iter().map(|text| cause(text, cx)).collect::<Vec<_>>().into_iter().collect(),
    };
    let (delay, max_delay, on) = (delay?.unwrap_or(Duration::ZERO), max_delay?, on?);
    if let (Some(most), Some(text)) = (max_delay, &spec.max_delay)
        && most < delay.max(Duration::from_nanos(1))
    {
        return Err(cx.refuse(
            Diagnostic::error(
                "spec::bad-value",
                format!("`{}` is less than `retry.delay`", text.value.escape_debug()),
            )
            .at(&text.span, "this value")
            .help("pauses begin with `delay` and double up to `max-delay`"),
        ));
    }
    Ok(Retry { attempts: spec.attempts.value, delay, max_delay, on })
}

fn cause(text: &Str, cx: &mut Lower<'_>) -> Result<Cause, Refused> {
    let word = cx.word(text)?;
    word.parse().map_err(|problem| {
        cx.refuse(
            Diagnostic::error(
                "spec::bad-value",
                format!("`{}` is nothing to try again after: {problem}", word.escape_debug()),
            )
            .at(&text.span, "this value")
            .help(
                did_you_mean(&word, Cause::NAMES).filter(|_| !word.contains(':')).unwrap_or_else(|| {
                    format!("there are {}; also `exit:CODE` and `signal:NUMBER`", list_names(Cause::NAMES))
                }),
            ),
        )
    })
}

/// A size such as `"64 MiB"`.
fn size(text: &Str, cx: &mut Lower<'_>) -> Result<u64, Refused> {
    let word = cx.word(text)?;
    parse_size(&word).ok_or_else(|| {
        cx.refuse(
            Diagnostic::error("spec::bad-value", format!("`{}` is no size of a log", word.escape_debug()))
                .at(&text.span, "this value")
                .help("write it like `512 KiB`, `64 MiB` or `2 GiB`; from `1 KiB` to `1024 GiB`"),
        )
    })
}

fn parse_size(text: &str) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let (number, shift) = units
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end_matches(' '), *shift)))?;
    // `parse` takes a sign too.
    if number.starts_with('+') {
        return None;
    }
    let bytes = number.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    (LEAST_LOG..=MOST_LOG).contains(&bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes() {
        for (text, bytes) in [("1KiB", 1 << 10), ("64 MiB", 64 << 20), ("1024 GiB", 1 << 40)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        let huge = format!("{} GiB", u64::MAX);
        for text in
            ["", "64", "64 MB", "1.5 MiB", "0 KiB", "-1 KiB", "+1 KiB", "1025 GiB", "MiB", " 1 KiB", &huge]
        {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
