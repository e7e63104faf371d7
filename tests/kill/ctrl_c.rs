//! K1: Ctrl-C on a terminal, and children that hear it.

use pipeline_testkit::CTRL_C;

use crate::engine::Run;
use crate::{SOON, soak};

#[test]
fn ctrl_c_leaves_nobody() {
    pipeline_testkit::require!("setsid", "bash");
    soak("K1", "Ctrl-Cs, 0 orphans", (20, 200), &|keep, _| {
        let mut run = Run::on_terminal(keep, &[("polite", "")]);
        run.witness.expect(2);
        run.terminal.as_mut().unwrap().press(CTRL_C);
        let (status, took) = run.wait();
        assert_eq!(status.code(), Some(130), "{}", run.terminal.as_ref().unwrap().text());
        assert!(took < SOON, "{took:?}");
        run.witness.all_end(SOON);
        run.terminal.as_ref().unwrap().shows("interrupted:");
    });
}
