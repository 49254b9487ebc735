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
            },
            0,
        ),
        (
            Expr::Poll {
                question: Box::new(no()),
                every_seconds: 1,
                deadline_seconds: 1,
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
