//! `iec lab`, as far as it needs no hosts.

use crate::run::Sandbox;

#[test]
fn no_labs_is_an_answer() {
    insta::assert_snapshot!(Sandbox::new().run(&["lab", "list"]), @"
    exit code: 0
    ----- stdout -----
    There is no lab on this machine. Type `iec lab up` to make one.
    ");
}

#[test]
fn no_labs_can_be_json() {
    insta::assert_snapshot!(Sandbox::new().run(&["lab", "list", "-o", "json"]), @r#"
    exit code: 0
    ----- stdout -----
    {"version":1,"type":"labs","labs":[]}
    "#);
}

#[test]
fn a_name_that_cannot_be_used_is_refused() {
    insta::assert_snapshot!(Sandbox::new().run(&["lab", "up", "Shop_1"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC1903]: `Shop_1` cannot be a lab's name: it does not begin with a lower-case letter
      next: take 1 to 30 of a-z, 0-9 and -, beginning with a letter
    ");
}

#[test]
fn a_lab_that_cannot_be_is_refused() {
    insta::assert_snapshot!(Sandbox::new().run(&["lab", "up", "--hosts", "1", "--control-planes", "2"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC1904]: this lab cannot be made: 2 control planes among 1 hosts; it takes at least one and no more than there are hosts
      next: change the numbers and try again
    ");
}

#[test]
fn an_unknown_lab_is_refused() {
    insta::assert_snapshot!(Sandbox::new().run(&["lab", "exec", "shop", "edge-1", "--", "true"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC1906]: there is no lab `shop` in [FOLDER]/.local/state/iec/labs
      next: `iec lab list` shows the labs there are
    ");
}
