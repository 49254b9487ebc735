//! Builds a bundle from a shell: `cargo run -p iec-bundle --example build -- OUTPUT CACHE amd64[,arm64] [--relock]`.
#![expect(clippy::print_stdout, reason = "an example's output is its purpose")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use iec_bundle::{BuildEvent, BuildRequest};
use iec_core::release::Release;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [output, cache, architectures, options @ ..] = words.as_slice() else {
        return Err("usage: build OUTPUT CACHE amd64[,arm64] [--relock]".into());
    };
    let request = BuildRequest {
        release: Release::bundled("1.36")?,
        architectures: architectures
            .split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()?,
        output: PathBuf::from(output),
        cache: PathBuf::from(cache),
        trust: PathBuf::from(cache).join("trust"),
        relock: options.iter().any(|option| option == "--relock"),
        cancel: Arc::new(AtomicBool::new(false)),
    };
    let result = iec_bundle::build(&request, &mut |event| match event {
        BuildEvent::Progress { .. } => {}
        event => println!("{event:?}"),
    });
    if let Err(error) = &result {
        println!(
            "{} {error}\n{}\nnext: {}",
            error.code(),
            error.output().join("\n"),
            error.next_action()
        );
    }
    result?;
    println!("{:?}", iec_bundle::verify(&request.output)?);
    for item in iec_bundle::inspect(&request.output)? {
        println!(
            "{:9} {:28} {:>11} own {:>11}",
            item.kind, item.name, item.bytes, item.own_bytes
        );
    }
    Ok(())
}
