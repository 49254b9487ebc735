//! Swap, kernel modules and kernel parameters.

use std::collections::BTreeMap;

use iec_sh::{Cmd, Expr, Program, Question};

use super::ask::{question, run, test};
use super::undo::{keep, restore};
use super::{HOME, Lowered, Undo};

/// A line of `/etc/fstab` that asks for swap.
const SWAP_LINE: &str = "^[^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap([[:space:]]|$)";

pub(super) fn swap_off(id: &str, units: &[String]) -> Lowered {
    let fstab = "/etc/fstab";
    // The first line of /proc/swaps is its heading.
    let none_active = Expr::from(Cmd::new(Program::Tail).words(["-n", "+2", "/proc/swaps"])).prints("");
    let none_wanted = Expr::any([
        test(["-e", fstab]).not(),
        run(Program::Grep, ["-Eq", SWAP_LINE, fstab]).not(),
    ]);
    let mut check = vec![
        question("no swap is active", none_active),
        question("/etc/fstab asks for no swap", none_wanted),
    ];
    let mut apply = keep(id, 0, fstab);
    apply.push(Expr::If {
        condition: Box::new(test(["-e", fstab])),
        then: vec![run(
            Program::Sed,
            ["-i", "-E", &format!("/{SWAP_LINE}/s/^/#iec# /"), fstab],
        )],
        otherwise: vec![],
    });
    let mut undo = vec![restore(id, 0, fstab)];
    for unit in units {
        check.push(Question {
            what: format!("{unit} is masked"),
            ask: Expr::from(
                Cmd::new(Program::Systemctl)
                    .words(["is-enabled", unit])
                    .quiet_errors(),
            )
            .prints("masked"),
            needed: vec![1],
        });
        apply.push(run(Program::Systemctl, ["mask", unit]));
        undo.push(run(Program::Systemctl, ["unmask", unit]));
    }
    apply.push(run(Program::Swapoff, ["-a"]));
    Lowered {
        check,
        apply,
        undo: Undo::Commands(undo),
        shows: vec![fstab.to_owned()],
        sensitive: false,
    }
}

pub(super) fn modules(modules: &[String]) -> Lowered {
    let mut check = Vec::new();
    let mut apply = Vec::new();
    for module in modules {
        let folder = format!("/sys/module/{}", module.replace('-', "_"));
        check.push(question(
            format!("the kernel has the module {module}"),
            test(["-d", &folder]),
        ));
        apply.push(run(Program::Modprobe, [module]));
    }
    Lowered {
        check,
        apply,
        undo: Undo::Irreversible(
            "a kernel module that other programs may use by now stays loaded until the next boot",
        ),
        shows: vec![],
        sensitive: false,
    }
}

pub(super) fn sysctls(id: &str, entries: &BTreeMap<String, String>) -> Lowered {
    let mut check = Vec::new();
    let mut apply = vec![run(Program::Mkdir, ["-p", &format!("{HOME}/before/{id}")])];
    let mut undo = Vec::new();
    for (key, value) in entries {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let kept = format!("{HOME}/before/{id}/{key}");
        let now = Expr::from(Cmd::new(Program::Cat).word(path.as_str()).quiet_errors());
        check.push(question(format!("{key} is {value}"), now.prints(value.as_str())));
        apply.push(Expr::any([
            test(["-s", &kept]),
            Cmd::new(Program::Cat)
                .word(path.as_str())
                .stdout_file(kept.as_str())
                .into(),
        ]));
        apply.push(
            Cmd::new(Program::Printf)
                .words(["%s\\n", value])
                .stdout_file(path.as_str())
                .into(),
        );
        undo.push(Expr::If {
            condition: Box::new(test(["-s", &kept])),
            then: vec![
                Cmd::new(Program::Cat)
                    .word(kept.as_str())
                    .stdout_file(path.as_str())
                    .into(),
            ],
            otherwise: vec![],
        });
    }
    Lowered {
        check,
        apply,
        undo: Undo::Commands(undo),
        shows: vec![],
        sensitive: false,
    }
}
