//! Swap goes off and stays off, and comes back as it was.

use iec_core::plan::Op;

use crate::pretend::Pretend;

const FSTAB: &str = "\
# /swap.img none swap sw 0 0
UUID=1 / ext4 defaults 0 1
/swap.img none swap sw 0 0
  /dev/sdb2\tnone\tswap\tpri=5 0 0
";
const HEADING: &str = "Filename\tType\tSize\tUsed\tPriority\n";

/// A host with swap by these lines of `/proc/swaps`, whose systemd has these swap units: name and whether it is active.
fn host(active: &str, units: &str) -> Pretend {
    let host = Pretend::new();
    host.write("/proc/swaps", &format!("{HEADING}{active}"));
    host.write("/run/units", units);
    host.write("/run/masked/.keep", "");
    host.stand_in(
        "systemctl",
        "echo \"systemctl $*\" >>/run/calls
        case $1 in
        list-units)
          while read -r unit active; do
            load=loaded
            [ ! -e \"/run/masked/$unit\" ] || load=masked
            printf '%s %s %s dead Swap\\n' \"$unit\" \"$load\" \"$active\"
          done </run/units ;;
        mask) shift; for unit; do : >\"/run/masked/$unit\"; done ;;
        unmask) shift; for unit; do rm -f \"/run/masked/$unit\"; done ;;
        esac",
    );
    host.stand_in(
        "swapoff",
        "echo \"swapoff $*\" >>/run/calls; head -n 1 /proc/swaps >/proc/new; mv /proc/new /proc/swaps",
    );
    host.stand_in(
        "swapon",
        "echo \"swapon $*\" >>/run/calls
        case $1 in
        -a) awk '!/^ *#/ && $3 == \"swap\" { print $1 \" file 1 0 -2\" }' /etc/fstab >>/proc/swaps ;;
        *) echo \"$1 file 1 0 -2\" >>/proc/swaps ;;
        esac",
    );
    host
}

fn masked(host: &Pretend) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(host.path("/run/masked"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("plain"))
        .filter(|name| name != ".keep")
        .collect();
    names.sort();
    names
}

#[test]
fn it_goes_off_stays_off_and_comes_back() {
    let active = "/swap.img file 1 0 -2\n/dev/sdb2 partition 1 0 5\n";
    let host = host(
        active,
        "swap.img.swap active\ndev-disk-by\\x2duuid-2.swap active\n",
    );
    host.write("/etc/fstab", FSTAB);
    assert_eq!(host.apply("swap", Op::SwapOff), "changed");
    assert_eq!(host.read("/proc/swaps").as_deref(), Some(HEADING));
    assert_eq!(masked(&host), ["dev-disk-by\\x2duuid-2.swap", "swap.img.swap"]);
    let marked = FSTAB
        .replace("\n/swap", "\n#iec# /swap")
        .replace("\n  /dev", "\n#iec#   /dev");
    assert_eq!(host.read("/etc/fstab"), Some(marked));
    assert_eq!(host.apply("swap", Op::SwapOff), "unchanged");

    // After a reboot systemd no longer names what nothing asks for.
    host.write("/run/units", "");
    assert_eq!(host.apply("swap", Op::SwapOff), "unchanged");
    // What an administrator wrote since stays.
    let line = "nas:/data /data nfs defaults 0 0\n";
    let later = host.read("/etc/fstab").expect("a file") + line;
    host.write("/etc/fstab", &later);
    assert_eq!(host.undo(), "undone");
    assert_eq!(host.read("/etc/fstab"), Some(format!("{FSTAB}{line}")));
    assert_eq!(masked(&host), Vec::<String>::new());
    let swaps = host.read("/proc/swaps").expect("a file");
    assert_eq!(swaps.lines().count(), 3, "{swaps}");
    // Nothing is left of it: the next time is as the first.
    assert_eq!(host.apply("swap", Op::SwapOff), "changed");
    assert_eq!(host.read("/proc/swaps").as_deref(), Some(HEADING));
}

#[test]
fn swap_that_no_file_names_comes_back_too() {
    let host = host("/etc/swapfile file 1 0 -2\n", "etc-swapfile.swap active\n");
    host.write("/etc/swapfile", "");
    host.write(
        "/proc/swaps",
        &format!("{HEADING}{} file 1 0 -2\n", host.path("/etc/swapfile").display()),
    );
    assert_eq!(host.apply("swap", Op::SwapOff), "changed");
    assert_eq!(host.read("/etc/fstab"), None);
    assert_eq!(host.undo(), "undone");
    let swaps = host.read("/proc/swaps").expect("a file");
    assert!(swaps.contains("/etc/swapfile"), "{swaps}");
}

#[test]
fn what_somebody_else_turned_off_stays_off() {
    let host = host("", "theirs.swap inactive\n");
    host.write("/run/masked/theirs.swap", "");
    host.write("/etc/fstab", "# /swap.img none swap sw 0 0\n");
    assert_eq!(host.apply("swap", Op::SwapOff), "adopted");
    assert_eq!(host.undo(), "undone");
    assert_eq!(masked(&host), ["theirs.swap"]);
    assert_eq!(
        host.read("/etc/fstab").as_deref(),
        Some("# /swap.img none swap sw 0 0\n")
    );
    let calls = host.read("/run/calls").expect("calls");
    assert!(!calls.contains("swapon"), "{calls}");
}

#[test]
fn a_unit_that_is_not_masked_is_work() {
    let host = host(
        "",
        "theirs.swap inactive\nours.swap inactive\ngone.swap inactive\n",
    );
    host.write("/run/masked/theirs.swap", "");
    assert_eq!(host.apply("swap", Op::SwapOff), "changed");
    assert_eq!(masked(&host), ["gone.swap", "ours.swap", "theirs.swap"]);
    assert_eq!(host.undo(), "undone");
    assert_eq!(masked(&host), ["theirs.swap"]);
    let calls = host.read("/run/calls").expect("calls");
    assert!(!calls.contains("swapon"), "it was off before: {calls}");
}
