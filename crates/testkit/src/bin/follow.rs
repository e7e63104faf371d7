//! Carries out a page of the book and prints what happens: `follow PAGE FOLDER COMMAND…`, where the command is a bash, here or
//! elsewhere. It fails where the page does not do what it says.

use std::env;
use std::path::Path;
use std::process::Command;

use pipeline_testkit::Page;

#[expect(clippy::print_stdout, reason = "a tool of tests")]
fn main() {
    let mut words = env::args().skip(1);
    let (Some(page), Some(folder), Some(program)) = (words.next(), words.next(), words.next()) else {
        panic!("usage: follow PAGE FOLDER COMMAND…");
    };
    let rest: Vec<String> = words.collect();
    let bash = || {
        let mut command = Command::new(&program);
        command.args(&rest).stdin(std::process::Stdio::null());
        command
    };
    Page::read(Path::new(&page))
        .follow(&bash, &folder, &mut |what, said| println!("{what}\n{}", said.trim_end()));
}
