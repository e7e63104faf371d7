//! What `pipeline fmt` makes of any text: where it makes something, that stays as it is the second time.
#![no_main]

mod slowest;

use libfuzzer_sys::fuzz_target;
use pipeline_core::format::format;

fuzz_target!(|data: &[u8]| {
    slowest::timed(data, |data| {
        if let Ok(text) = std::str::from_utf8(data)
            && let Ok(formatted) = format(text)
        {
            assert_eq!(format(&formatted).as_deref(), Ok(formatted.as_str()));
        }
    });
});
