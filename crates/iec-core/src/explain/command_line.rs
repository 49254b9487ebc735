//! Codes of the command line: `IEC09…`.

use super::{Explanation, row};

/// What is typed, asked and written.
pub(super) const ROWS: &[Explanation] = &[
    row(
        "IEC0900",
        "the command line was not understood",
        "A command, an option or a value is not one that IEC knows.",
        "Type `iec --help`, or `iec COMMAND --help`.",
        "",
    ),
    row(
        "IEC0901",
        "the site file cannot be read",
        "There is no file at this place, it is no text, or the operating system refused; the message says which.",
        "Name the site file or its folder, or write a first one.",
        "iec init\niec check shop/site.yaml",
    ),
    row(
        "IEC0902",
        "the site file has errors",
        "Nothing is done with a site file before every error in it is put right; each is drawn above with a code of its own.",
        "Put them right in any order, then type `iec check`.",
        "",
    ),
    row(
        "IEC0903",
        "the site file exists already",
        "A file that somebody wrote is not replaced without being asked to.",
        "Name another file, or add --force.",
        "iec init shop/site.yaml --host edge-1=10.0.0.11",
    ),
    row(
        "IEC0904",
        "no such code",
        "Codes are `IEC` and four digits; this one is in no message of this version.",
        "Type `iec explain` for a list of all codes.",
        "",
    ),
    row(
        "IEC0905",
        "an answer is needed and nobody is there to give it",
        "The command would ask a question, but it does not run in a terminal.",
        "Give the option that the message names; it answers the question beforehand.",
        "iec reset --yes site.yaml",
    ),
    row(
        "IEC0906",
        "the question was not answered",
        "The question was broken off, so nothing was done.",
        "Run the command again, or answer beforehand with its option.",
        "",
    ),
    row(
        "IEC0907",
        "the output cannot be written",
        "What the command prints or writes could not be written: a full disk, a closed pipe, missing rights.",
        "Look at the cause in the message; the work itself was done.",
        "",
    ),
    row(
        "IEC0908",
        "the site has no such host",
        "The name is none of the hosts in the site file.",
        "Take one of the names in the site file.",
        "iec log --host edge-2",
    ),
    row(
        "IEC0909",
        "a site needs a host",
        "Without a terminal nothing is asked, so the hosts must be named on the command line.",
        "Name each host with --host.",
        "iec init --host edge-1=10.0.0.11 --host edge-2=10.0.0.12",
    ),
    row(
        "IEC0910",
        "the site file cannot be written",
        "The operating system refused; the message says why.",
        "Name a folder that exists and that you may write to.",
        "",
    ),
];
