//! What to do where the machine refuses something: it says why in words of its own, which say nothing of that.

/// By the system's words, and their remedies.
const REMEDIES: [(&str, &str); 7] = [
    ("No space left on device", "make room on the disk"),
    ("Disk quota exceeded", "make room on the disk, or have a larger quota"),
    ("Read-only file system", "work in a folder on a disk that can be written to"),
    ("Permission denied", "make it readable and writable for the user that runs this"),
    ("Too many open files", "allow more open files (`ulimit -n`), or do less at once (`-j`)"),
    ("Resource temporarily unavailable", "allow more processes (`ulimit -u`), or do less at once (`-j`)"),
    ("Cannot allocate memory", "make memory free, or do less at once (`-j`)"),
];

/// What to do about a cause that is the machine's, where one is named in this message.
pub fn remedy(said: &str) -> Option<&'static str> {
    // Go's tools say them without the capital.
    let said = said.to_ascii_lowercase();
    REMEDIES.iter().find(|(words, _)| said.contains(&words.to_ascii_lowercase())).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn the_words_are_those_of_the_system() {
        use Errno as E;
        let errors = [E::NOSPC, E::DQUOT, E::ROFS, E::ACCESS, E::MFILE, E::AGAIN, E::NOMEM];
        for (error, (_, known)) in errors.into_iter().zip(REMEDIES) {
            let said = std::io::Error::from(error).to_string();
            assert_eq!(remedy(&said), Some(known), "{error}");
            assert_eq!(remedy(&said.to_lowercase()), Some(known), "{error}");
        }
        assert_eq!(remedy("exit status 1"), None);
    }
}
