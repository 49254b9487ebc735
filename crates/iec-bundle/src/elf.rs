//! Reads from an ELF file what it needs: a processor, and shared libraries, of which a tree then holds exactly those.

use iec_core::architecture::Architecture;

/// The shared libraries and the program interpreter that a 64-bit little-endian ELF file asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The names in its `DT_NEEDED` entries.
    pub(crate) libraries: Vec<String>,
    /// The path of its dynamic loader, if it names one.
    pub(crate) interpreter: Option<String>,
}

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

/// How many bytes of a file tell for which machine it was made.
pub(crate) const HEAD: u64 = 20;

/// The ELF machine that a file was made for; none when it is no 64-bit little-endian ELF file.
pub(crate) fn machine(head: &[u8]) -> Option<u64> {
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    number(head, 18, 2)
}

/// The ELF machine of an architecture (`EM_X86_64`, `EM_AARCH64`).
pub(crate) const fn machine_of(architecture: Architecture) -> u64 {
    match architecture {
        Architecture::Amd64 => 62,
        Architecture::Arm64 => 183,
    }
}

/// What the file needs; none when it is no 64-bit little-endian ELF file, or a damaged one.
pub(crate) fn needs(bytes: &[u8]) -> Option<Needs> {
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = number(bytes, 32, 8)?;
    let entry_size = number(bytes, 54, 2)?;
    let count = number(bytes, 56, 2)?;
    let segments: Vec<Segment> = (0..count)
        .map(|index| {
            let start = table + index * entry_size;
            Some(Segment {
                kind: number(bytes, start, 4)?,
                offset: number(bytes, start + 8, 8)?,
                address: number(bytes, start + 16, 8)?,
                size: number(bytes, start + 32, 8)?,
            })
        })
        .collect::<Option<_>>()?;
    let mut needs = Needs::default();
    if let Some(segment) = segments.iter().find(|segment| segment.kind == PT_INTERP) {
        needs.interpreter = Some(text(bytes, segment.offset)?);
    }
    let Some(dynamic) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) else {
        return Some(needs);
    };
    let mut names = Vec::new();
    let mut strings = None;
    for start in (dynamic.offset..dynamic.offset + dynamic.size).step_by(16) {
        let value = number(bytes, start + 8, 8)?;
        match number(bytes, start, 8)? {
            DT_NULL => break,
            DT_NEEDED => names.push(value),
            DT_STRTAB => strings = Some(value),
            _ => {}
        }
    }
    if names.is_empty() {
        return Some(needs);
    }
    // The string table is given by its address in memory; the segment that is loaded there says where in the file it is.
    let address = strings?;
    let load = segments.iter().find(|segment| {
        segment.kind == PT_LOAD && (segment.address..segment.address + segment.size).contains(&address)
    })?;
    let offset = address - load.address + load.offset;
    needs.libraries = names
        .into_iter()
        .map(|name| text(bytes, offset + name))
        .collect::<Option<_>>()?;
    Some(needs)
}

fn number(bytes: &[u8], offset: u64, width: usize) -> Option<u64> {
    let start = usize::try_from(offset).ok()?;
    let field = bytes.get(start..start.checked_add(width)?)?;
    Some(
        field
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)),
    )
}

fn text(bytes: &[u8], offset: u64) -> Option<String> {
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    String::from_utf8(rest[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_this_machine_needs_the_c_library() {
        let found = needs(&std::fs::read("/bin/sh").unwrap()).unwrap();
        assert!(
            found.libraries.iter().any(|name| name.starts_with("libc.so")),
            "{found:?}"
        );
        assert!(found.interpreter.unwrap().contains("ld-linux"));
    }

    #[test]
    fn other_files_and_cut_ones_are_none() {
        assert_eq!(needs(b"#!/bin/sh\n"), None);
        assert_eq!(needs(&std::fs::read("/bin/sh").unwrap()[..60]), None);
    }
}
