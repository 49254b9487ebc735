//! What is in the way of a later step: a link that leads nowhere.

use crate::*;

#[test]
fn a_link_that_leads_nowhere() {
    let nowhere = |facts: &mut HostFacts| {
        let nowhere = &mut facts.storage.value_mut().nowhere;
        nowhere.insert("/var/lib/kubelet".to_owned(), "/mnt/disk/kubelet".to_owned());
    };
    expect(nowhere, &["IEC1846"]);
}
