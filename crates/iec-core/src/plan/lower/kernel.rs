//! Swap, kernel modules and kernel parameters.

use std::collections::BTreeMap;

use iec_sh::{Cmd, Expr, Program};

use super::ask::{question, run, test};
use super::edit::Edit;
use super::undo::{place, write_note};
use super::{Lowered, Shown, Undo};
use crate::plan::sysctls;

/// A line of `/etc/fstab` that asks for swap, from its beginning on.
const SWAP_LINE: &str = "[[:space:]]*[^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap([[:space:]]|$)";
/// What stands before a line of `/etc/fstab` that IEC has turned off.
const MARK: &str = "#iec# ";
const FSTAB: &str = "/etc/fstab";

/// The step works from what it finds on the host, and its undo from what it kept: systemd names a masked unit until the next
/// boot only, so what a later plan could know of it would be another step.
pub(super) fn swap_off(id: &str) -> Lowered {
    let (active, units) = (format!("{}/active", place(id)), format!("{}/units", place(id)));
    // The first line of /proc/swaps is its heading.
    let none_active = Expr::from(Cmd::new(Program::Tail).words(["-n", "+2", "/proc/swaps"])).prints("");
    let swap_line = format!("^{SWAP_LINE}");
    let none_wanted = Expr::any([
        test(["-e", FSTAB]).not(),
        run(Program::Grep, ["-Eq", &swap_line, FSTAB]).not(),
    ]);
    let none_left = Expr::Pipe(vec![
        swap_units(),
        Cmd::new(Program::Awk).word(format!("{NOT_MASKED} {{ left = 1 }} END {{ exit left }}")),
    ]);
    let check = vec![
        question("no swap is active", none_active),
        question(format!("{FSTAB} asks for no swap"), none_wanted),
        question("systemd turns no swap on", none_left),
        Edit::new(FSTAB).question(),
    ];

    let unmasked = || Cmd::new(Program::Awk).word(format!("{NOT_MASKED} {{ print $1 }}"));
    let mut keep = add_to_note(
        &active,
        vec![Cmd::new(Program::Awk).words(["NR > 1 { print $1 }", "/proc/swaps"])],
    );
    keep.extend(add_to_note(&units, vec![swap_units(), unmasked()]));
    let apply = vec![
        edit_fstab(&swap_line, &format!("/{swap_line}/s/^/{MARK}/")),
        Expr::Pipe(vec![swap_units(), unmasked(), systemctl_each("mask")]),
        run(Program::Swapoff, ["-a"]),
    ];

    let marked = format!("^{MARK}{SWAP_LINE}");
    let unmask = Expr::Pipe(vec![
        Cmd::new(Program::Sort).words(["-u", &units]),
        systemctl_each("unmask"),
    ]);
    let undo = vec![
        edit_fstab(&marked, &format!("/{marked}/s/^{MARK}//")),
        when(test(["-s", &units]), vec![unmask]),
        when(
            test(["-s", &active]),
            vec![
                // systemd makes its units of the lines that are back.
                run(Program::Systemctl, ["daemon-reload"]),
                when(test(["-e", FSTAB]), vec![run(Program::Swapon, ["-a", "-e"])]),
                swap_on_each(&active),
            ],
        ),
        // All of that is on the disk before it is forgotten what there was.
        Cmd::new(Program::Sync).into(),
        run(Program::Rm, ["-f", &active, &units, &Edit::new(FSTAB).part]),
    ];
    Lowered {
        check,
        keep,
        apply,
        undo: Undo::Commands(undo),
        shows: vec![Shown::in_part(FSTAB)],
        sensitive: false,
    }
}

/// Of the lines of [`swap_units`], those of units that systemd may start.
const NOT_MASKED: &str = "$2 != \"masked\" && $2 != \"not-found\"";

/// Prints a line for each swap unit that systemd knows: its name, then whether it is masked.
fn swap_units() -> Cmd {
    Cmd::new(Program::Systemctl).words([
        "list-units",
        "--type=swap",
        "--all",
        "--full",
        "--no-legend",
        "--plain",
        "--no-pager",
    ])
}

/// Calls systemctl with this verb for all units in its input; there are backslashes in their names.
fn systemctl_each(verb: &str) -> Cmd {
    Cmd::new(Program::Xargs).words(["-r", "-d", "\\n", "systemctl", verb])
}

/// Adds to a note what the last of the commands prints: what was noted before stays.
fn add_to_note(note: &str, commands: Vec<Cmd>) -> Vec<Expr> {
    let part = format!("{note}.part");
    let known = when(test(["-e", note]), vec![run(Program::Cp, [note, &part])]);
    let mut notes = vec![run(Program::Rm, ["-f", &part]), known];
    notes.extend(write_note(note, |part| {
        let mut pipe = commands;
        pipe.push(Cmd::new(Program::Tee).words(["-a", part]));
        Expr::Pipe(pipe)
    }));
    notes
}

/// Edits `/etc/fstab` where it has such a line, or where an edit was cut.
fn edit_fstab(line: &str, edit: &str) -> Expr {
    let file = Edit::new(FSTAB);
    let write = |from: &str| {
        Cmd::new(Program::Sed)
            .words(["-E", edit, from])
            .stdout_file(file.part.as_str())
            .into()
    };
    let mut commands = vec![file.begin(write)];
    commands.extend(file.end());
    let has_line = run(Program::Grep, ["-Eqs", line, FSTAB]);
    when(Expr::any([has_line, file.is_begun()]), commands)
}

/// Turns on what `/etc/fstab` does not name, as far as it is still there and not on by now.
fn swap_on_each(active: &str) -> Expr {
    let off = "NR == FNR { on[$1] = 1; next } !($1 in on) && !seen[$1]++";
    Expr::Pipe(vec![
        Cmd::new(Program::Awk).words([off, "/proc/swaps", active]),
        Cmd::new(Program::Xargs).words(["-r", "-d", "\\n", "-I{}", "find", "{}", "-maxdepth", "0"]),
        Cmd::new(Program::Xargs).words(["-r", "-d", "\\n", "swapon"]),
    ])
    .ignore_failure()
}

fn when(condition: Expr, then: Vec<Expr>) -> Expr {
    Expr::If {
        condition: Box::new(condition),
        then,
        otherwise: vec![],
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
        keep: vec![],
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
    let mut keep = Vec::new();
    let mut apply = Vec::new();
    let mut undo = Vec::new();
    for (key, value) in entries {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let kept = format!("{}/{key}", place(id));
        let now = Expr::from(Cmd::new(Program::Cat).word(path.as_str()).quiet_errors());
        check.push(question(format!("{key} is {value}"), now.prints(value.as_str())));
        keep.push(when(
            test(["-s", &kept]).not(),
            write_note(&kept, |part| {
                Cmd::new(Program::Cat)
                    .word(path.as_str())
                    .stdout_file(part)
                    .into()
            }),
        ));
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
    check.push(question(
        "they are so after the next boot too: no other file has the last word",
        last_word(entries),
    ));
    Lowered {
        check,
        keep,
        apply,
        undo: Undo::Commands(undo),
        shows: vec![],
        sensitive: false,
    }
}

/// The folders from which systemd-sysctl takes files; of one name, that of the first folder counts.
const SYSCTL_FOLDERS: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

/// Reads files by their names, in the order of its input, and says at the end whether the last value of each parameter is the
/// wanted one. A pattern of names never counts beside a whole name.
const LAST_WORD: &str = r#"{
  file = $0
  while ((getline line < file) > 0) {
    sub(/^[ \t]*-?/, "", line)
    at = index(line, "=")
    if (line ~ /^[#;]/ || !at) continue
    name = substr(line, 1, at - 1); value = substr(line, at + 1)
    gsub(/[ \t]+$/, "", name); gsub(/^[ \t]+|[ \t]+$/, "", value)
    if (match(name, /[.\/]/) && substr(name, RSTART, 1) == "/") gsub(/\//, ".", name)
    set[name] = value; from[name] = file
  }
  close(file)
}
function want(name, value, more) {
  if (name in set && (set[name] == value || more && set[name] + 0 >= value + 0)) return
  if (name in set) print from[name] " sets " name " = " set[name] " at boot, and has the last word" >"/dev/stderr"
  lost = 1
}
"#;

fn last_word(entries: &BTreeMap<String, String>) -> Expr {
    let wanted: String = entries
        .iter()
        .map(|(name, value)| {
            let more = u8::from(sysctls::is_limit(name));
            format!("  want(\"{name}\", \"{value}\", {more})\n")
        })
        .collect();
    Expr::Pipe(vec![
        Cmd::new(Program::Find)
            .word("-L")
            .words(SYSCTL_FOLDERS)
            .words(["-maxdepth", "1", "-name", "*.conf", "-printf", "%f/%p\\n"])
            .quiet_errors(),
        Cmd::new(Program::Sort).words(["-t", "/", "-k", "1,1", "-s", "-u"]),
        Cmd::new(Program::Cut).words(["-d", "/", "-f", "2-"]),
        Cmd::new(Program::Awk).word(format!("{LAST_WORD}END {{\n{wanted}  exit lost\n}}")),
    ])
}
