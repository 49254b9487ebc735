//! Drives labs from a shell: `lab up NAME [HOSTS] [CONTROL-PLANES] [bookworm|trixie] [NICS]`, `down NAME`, `list`,
//! `exec NAME HOST WORD…`, `kill NAME HOST`, `start NAME HOST`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to its user"
)]

use std::io::{Read, Write};
use std::process::ExitCode;

use iec_lab::{Distribution, ExecUser, LabError, Labs, Nics, Places, UpRequest};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let labs = Labs::new(Places::from_environment(|name| {
        std::env::var_os(name).map(Into::into)
    }));
    match run(&labs, &words) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error {}: {error}", error.code());
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            eprintln!("  next: {}", error.help());
            ExitCode::from(1)
        }
    }
}

fn run(labs: &Labs, words: &[&str]) -> Result<u8, LabError> {
    match words {
        ["up", name, rest @ ..] => up(labs, name, rest),
        ["down", name] => {
            let removed = labs.down(name, &mut |event| println!("{event:?}"))?;
            println!(
                "{}",
                if removed.is_nothing() {
                    "nothing was there"
                } else {
                    "removed"
                }
            );
            Ok(0)
        }
        ["list"] => {
            for status in labs.list()? {
                println!(
                    "{} {:?} {:?}",
                    status.name,
                    status.lab.map(|lab| lab.state),
                    status.hosts
                );
            }
            Ok(0)
        }
        ["exec", name, host, command @ ..] if !command.is_empty() => exec(labs, name, host, command),
        ["kill", name, host] => labs.kill_host(&labs.open(name)?, host).map(|()| 0),
        ["start", name, host] => labs.start_host(&labs.open(name)?, host).map(|()| 0),
        _ => {
            eprintln!("up NAME [HOSTS] [CONTROL-PLANES] [bookworm|trixie] [NICS] | down NAME | list");
            eprintln!("exec NAME HOST WORD… | kill NAME HOST | start NAME HOST");
            Ok(1)
        }
    }
}

fn up(labs: &Labs, name: &str, rest: &[&str]) -> Result<u8, LabError> {
    let number = |index: usize, otherwise: usize| {
        rest.get(index).map_or(Ok(otherwise), |text| {
            text.parse()
                .map_err(|_| LabError::InvalidRequest(format!("`{text}` is not a number")))
        })
    };
    let request = UpRequest {
        hosts: number(0, 3)?,
        control_planes: number(1, 1)?,
        distribution: if rest.get(2) == Some(&"trixie") {
            Distribution::Trixie
        } else {
            Distribution::Bookworm
        },
        nics: if number(3, 1)? == 2 { Nics::Two } else { Nics::One },
        bundle: std::env::var_os("IEC_BUNDLE").map(Into::into),
        ..UpRequest::new(name)
    };
    let lab = labs.up(&request, &mut |event| println!("{event:?}"))?;
    for host in &lab.hosts {
        println!(
            "{} {:?}: {}",
            host.name,
            host.role,
            lab.ssh_words(&host.name)?.join(" ")
        );
    }
    println!("{}", lab.site_file.display());
    Ok(0)
}

fn exec(labs: &Labs, name: &str, host: &str, command: &[&str]) -> Result<u8, LabError> {
    let mut input = Vec::new();
    let doing = |source| LabError::File {
        doing: "use",
        path: "the standard streams".into(),
        source,
    };
    std::io::stdin().read_to_end(&mut input).map_err(doing)?;
    let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    let output = labs.exec(&labs.open(name)?, host, ExecUser::Root, &command, &input)?;
    std::io::stdout().write_all(&output.stdout).map_err(doing)?;
    std::io::stderr().write_all(&output.stderr).map_err(doing)?;
    Ok(u8::try_from(output.code).unwrap_or(1))
}
