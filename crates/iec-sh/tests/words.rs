//! Every word survives every shell: what goes in comes out, as one argument.

#![expect(clippy::disallowed_methods, reason = "a test asks real shells what they read")]

use std::process::Command;

use iec_sh::{Cmd, Expr, Program, Word};

const SHELLS: &[&[&str]] = &[&["dash"], &["bash", "--posix"], &["bash"], &["busybox", "sh"]];

fn run(shell: &[&str], script: &str) -> (i32, Vec<u8>) {
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .arg("-c")
        .arg(script)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; apt-get install dash bash busybox", shell[0]));
    (output.status.code().unwrap_or(-1), output.stdout)
}

/// Deterministic texts with every printable character, control characters and multi-byte ones.
fn texts() -> Vec<String> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let alphabet: Vec<char> = (1u8..=126)
        .map(char::from)
        .chain("äß€語\u{1f980}".chars())
        .collect();
    (0..400)
        .map(|round| {
            (0..round % 23)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    alphabet[(state % alphabet.len() as u64) as usize]
                })
                .collect()
        })
        .collect()
}

#[test]
fn words_survive() {
    for shell in SHELLS {
        let texts = texts();
        let script: String = texts
            .iter()
            .map(|text| format!("printf '%s\\0' {}\n", Word::new(text.as_str())))
            .collect();
        let (code, output) = run(shell, &script);
        assert_eq!(code, 0, "{shell:?}");
        let expected: Vec<u8> = texts
            .iter()
            .flat_map(|text| [text.as_bytes(), b"\0"].concat())
            .collect();
        assert!(output == expected, "{shell:?} changed a word");
    }
}

#[test]
fn texts_on_standard_input_survive() {
    for shell in SHELLS {
        for text in texts() {
            let whole = run(
                shell,
                &Expr::from(Cmd::new(Program::Cat).stdin_text(text.clone())).statement(""),
            );
            assert_eq!(whole, (0, text.clone().into_bytes()), "{shell:?}");
            let document = format!("{text}\n");
            let here = run(
                shell,
                &Expr::from(Cmd::new(Program::Cat).stdin_text(document.clone())).statement(" || exit 9"),
            );
            assert_eq!(here, (0, document.into_bytes()), "{shell:?}");
        }
    }
}

#[test]
fn conditions_answer_alike_in_every_shell() {
    let yes = || Expr::from(Cmd::new(Program::True));
    let no = || Expr::from(Cmd::new(Program::Test).word("a").word("=").word("b"));
    let broken = || Expr::from(Cmd::new(Program::Test).word("a").word("-eq").word("b")); // exit code 2
    let cases: Vec<(Expr, i32)> = vec![
        (Expr::all([yes(), yes()]), 0),
        (Expr::all([yes(), no()]), 1),
        (Expr::any([no(), yes()]), 0),
        (Expr::any([no(), no()]), 1),
        (no().not(), 0),
        (yes().not(), 1),
        (broken().not(), 2),
        (Expr::all(Vec::<Expr>::new()), 0),
        (Expr::any(Vec::<Expr>::new()), 1),
        (no().ignore_failure(), 0),
        (Expr::FailsWith(Box::new(no()), 7), 7),
        (Expr::all([Expr::any([no(), yes()]), no()]), 1),
        (
            Expr::from(Cmd::new(Program::Printf).word("a\nb\n")).prints("a\nb"),
            0,
        ),
        (
            Expr::If {
                condition: Box::new(no()),
                then: vec![no()],
                otherwise: vec![yes()],
            },
            0,
        ),
        (
            Expr::Poll {
                question: Box::new(yes()),
                every_seconds: 1,
                deadline_seconds: 5,
                units: vec![],
                slowness: 1,
            },
            0,
        ),
        (
            Expr::Poll {
                question: Box::new(no()),
                every_seconds: 1,
                deadline_seconds: 1,
                units: vec![],
                slowness: 1,
            },
            1,
        ),
    ];
    for shell in SHELLS {
        for (expr, expected) in &cases {
            let text = expr.statement("");
            assert_eq!(run(shell, &text).0, *expected, "{shell:?}: {text}");
            let text = format!("f() {{\n{}\n}}\nf", expr.statement(" || return"));
            assert_eq!(run(shell, &text).0, *expected, "{shell:?}: {text}");
        }
    }
}

/// Runs a poll of two units in a shell where `systemctl` says this.
fn poll_with_units(shell: &[&str], restarts: &str, active: &str) -> (i32, String) {
    let poll = Expr::Poll {
        question: Box::new(Expr::all([
            Expr::from(Cmd::new(Program::Printf).word("no answer\\n")),
            Cmd::new(Program::Test).words(["-e", "/nowhere"]).into(),
        ])),
        every_seconds: 1,
        deadline_seconds: 600,
        units: vec!["kubelet.service".into(), "containerd.service".into()],
        slowness: 1,
    };
    // Each round is a minute by this clock, which stands still within it.
    let text = format!(
        "clock=0\nsleep() {{ clock=$((clock + 60)); }}\ndate() {{ echo $clock; }}\n\
         systemctl() {{ case $1 in show) {restarts} ;; *) {active} ;; esac; }}\n{}",
        poll.statement("")
    );
    let (code, said) = run(shell, &text);
    (code, String::from_utf8(said).expect("plain text"))
}

#[test]
fn a_poll_ends_early_where_a_unit_does_not_stay_up() {
    let up = "true";
    let down = "[ \"$3\" != kubelet.service ]";
    for shell in SHELLS {
        let (code, said) = poll_with_units(shell, "echo 0; echo 0", up);
        assert_eq!((code, said.as_str()), (1, "no answer\n"), "{shell:?}");
        for (restarts, active) in [
            // Started again each twenty seconds, and caught while it runs.
            ("echo $((clock / 20)); echo; echo 7", up),
            // Masked, or failed for good.
            ("echo 0; echo; echo 0", down),
        ] {
            let (code, said) = poll_with_units(shell, restarts, active);
            assert_eq!(code, 1, "{shell:?}");
            assert!(
                said.ends_with("kubelet.service or containerd.service does not stay up.\n"),
                "{shell:?}: {said}"
            );
        }
        // Now and then a restart is no failure.
        let (code, said) = poll_with_units(shell, "echo $((clock / 100))", up);
        assert_eq!((code, said.as_str()), (1, "no answer\n"), "{shell:?}");
    }
}
