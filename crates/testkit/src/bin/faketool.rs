//! Stands in for any tool it is linked as; see `pipeline_testkit::faketool`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match pipeline_testkit::faketool::play() {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            #[expect(clippy::print_stderr, reason = "there is nobody else to tell")]
            {
                eprintln!("faketool: {message}");
            }
            // No tool uses it, so a broken set-up is not taken for a reply.
            ExitCode::from(119)
        }
    }
}
