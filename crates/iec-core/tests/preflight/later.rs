//! What is right now and would not be later: at the next boot, behind a link, on links that were made before.

use crate::*;
use iec_core::facts::BootSysctl;

#[test]
fn kernel_parameters_that_the_next_boot_would_take_back() {
    let sets = |file: &'static str, name: &'static str, value: &'static str| {
        move |facts: &mut HostFacts| {
            facts.features.value_mut().boot_sysctls.push(BootSysctl {
                file: file.to_owned(),
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    };
    let forward = "net.ipv4.ip_forward";
    let watches = "fs.inotify.max_user_watches";
    expect(sets("/etc/sysctl.d/zz.conf", forward, "0"), &["IEC1845"]);
    expect(
        sets("/usr/lib/sysctl.d/99-zzz.conf", watches, "8192"),
        &["IEC1845"],
    );
    expect(sets("/etc/sysctl.d/zz.conf", forward, "1"), &[]);
    expect(sets("/etc/sysctl.d/zz.conf", watches, "1048576"), &[]);
    expect(
        sets("/etc/sysctl.d/zz.conf", "net.ipv4.conf.all.rp_filter", "0"),
        &[],
    );
    expect(sets("/etc/ufw/sysctl.conf", forward, "0"), &["IEC1845"]);
    // IEC's own name comes after Debian's link to /etc/sysctl.conf.
    expect(sets("/etc/sysctl.d/99-sysctl.conf", forward, "0"), &[]);
    let both = |facts: &mut HostFacts| {
        sets("/etc/sysctl.d/zz.conf", forward, "0")(facts);
        sets("/etc/sysctl.d/zzz.conf", forward, "1")(facts);
    };
    expect(both, &[]);
}

#[test]
fn a_link_that_leads_nowhere() {
    let nowhere = |facts: &mut HostFacts| {
        let nowhere = &mut facts.storage.value_mut().nowhere;
        nowhere.insert("/var/lib/kubelet".to_owned(), "/mnt/disk/kubelet".to_owned());
    };
    expect(nowhere, &["IEC1846"]);
}

#[test]
fn links_of_pods_that_keep_their_size() {
    let links = |names: &'static [(&'static str, u32)]| {
        move |facts: &mut HostFacts| {
            facts.previous.value_mut().site = Some("store-0417".to_owned());
            facts.previous.value_mut().journal = true;
            for (name, mtu) in names {
                facts.network.value_mut().interfaces.push(Interface {
                    name: (*name).to_owned(),
                    mtu: *mtu,
                    ..Interface::default()
                });
            }
        }
    };
    let code = |names| {
        let problems = with(links(names));
        let found: Vec<String> = codes(&problems)
            .into_iter()
            .filter(|code| code.ends_with("1847"))
            .collect();
        found
    };
    assert_eq!(
        code(&[("vxlan.calico", 1450), ("cali0123456789a", 1450)]),
        [""; 0]
    );
    assert_eq!(code(&[("vxlan.calico", 1400)]), ["~IEC1847"]);
    assert_eq!(
        code(&[("vxlan.calico", 1450), ("cali0123456789a", 1400)]),
        ["~IEC1847"]
    );
    assert_eq!(code(&[("docker0", 1400), ("california0", 1400)]), [""; 0]);
}
