//! NoCloud seeds: a first boot that installs and joins its host by itself.
//!
//! A host's folder becomes a medium with the label CIDATA. The script and the secrets lie beside `user-data` rather
//! than in it: what is in `user-data` stays in cloud-init's cache on the host.

use iec_sh::FIRST_BOOT;
use serde_json::{Value, json};

use super::script::Host;
use super::{ContentFrom, File, Files, Options, Secrets, Subject, carried, first_network};
use crate::name::UserName;
use crate::plan::HostPart;
use crate::site::SiteHost;

/// The label of the medium on which cloud-init looks for a NoCloud seed.
pub(super) const SEED: &str = "CIDATA";

/// The label of the medium that has the blobs of the bundle.
pub(super) const CONTENT: &str = "IEC-CONTENT";

/// A folder for each host, and the blobs for the medium that all of them share.
pub(super) fn files(subject: &Subject<'_>, options: &Options) -> Files {
    let mut files = Files::new();
    // No host can have an underscore in its name.
    let is_taken = subject
        .site
        .hosts()
        .iter()
        .any(|host| host.name().as_str() == "content");
    let shared = if is_taken { "content_" } else { "content" };
    for (path, file) in carried(subject, options) {
        match path.strip_prefix("secrets-") {
            Some(host) => files.insert(format!("{host}/{path}"), file),
            None => files.insert(format!("{shared}/{path}"), file),
        };
    }
    for part in subject.plan.hosts.iter().filter(|part| part.whole) {
        let (Some(scripts), Some(host), Some(facts)) = (
            Host::of(subject, part),
            subject.site.host(&part.host),
            subject.facts.host(part.host.as_str()),
        ) else {
            continue;
        };
        let name = &part.host;
        files.insert(
            format!("{name}/install-{name}.sh"),
            File::script(scripts.install()),
        );
        files.insert(
            format!("{name}/user-data"),
            File::text(format!(
                "#cloud-config\n{}",
                yaml(&user_data(subject, part, host, options))
            )),
        );
        let meta = json!({
            "instance-id": format!("iec-{}-{name}-{}", subject.site.name(), subject.run),
            "local-hostname": name,
        });
        files.insert(format!("{name}/meta-data"), File::text(yaml(&meta)));
        if let Some(network) = first_network::network(subject, host, facts) {
            files.insert(format!("{name}/network-config"), File::text(yaml(&network)));
        }
    }
    files
}

fn user_data(subject: &Subject<'_>, part: &HostPart, host: &SiteHost, options: &Options) -> Value {
    let name = part.host.as_str();
    let user = host.user().unwrap_or_else(|| subject.site.access().user());
    let secrets = match options.secrets {
        Secrets::Encrypted => "sealed",
        Secrets::Plain | Secrets::None => "plain",
    };
    let mut install = vec!["/bin/sh", "-c", FIRST_BOOT, "sh", name, secrets];
    match &options.content {
        ContentFrom::At(url) => install.extend(["--url", url]),
        ContentFrom::Copied | ContentFrom::Elsewhere => install.extend(["--medium", CONTENT]),
    }
    let mut value = json!({ "hostname": name, "manage_etc_hosts": false, "runcmd": [install] });
    if host.host_key().is_some() {
        // The site has this key pinned: with a new one nobody would take the host for itself.
        value["ssh_deletekeys"] = json!(false);
    }
    accounts(&mut value, user, &options.authorized_keys);
    value
}

/// The account that IEC logs in with. Where nobody's key is known for it, the image's own account stays: with neither,
/// nobody could log in to the host.
fn accounts(value: &mut Value, user: &UserName, keys: &[String]) {
    let mut account = json!({ "name": user });
    if user.as_str() == "root" {
        if keys.is_empty() {
            return;
        }
        value["disable_root"] = json!(false);
    } else {
        account["sudo"] = json!("ALL=(ALL) NOPASSWD:ALL");
        account["shell"] = json!("/bin/bash");
        account["lock_passwd"] = json!(true);
    }
    if keys.is_empty() {
        value["users"] = json!(["default", account]);
    } else {
        account["ssh_authorized_keys"] = json!(keys);
        // No account but the site's own: hosts of all methods have the same ones.
        value["users"] = json!([account]);
    }
}

/// A document as YAML: JSON is YAML too, and needs no second set of quoting rules.
fn yaml(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("the document has text keys only");
    text.push('\n');
    text
}
