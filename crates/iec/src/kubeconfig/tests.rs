//! Kubeconfigs of other people, and what becomes of them.

use iec_core::credentials::Credentials;
use jiff::Timestamp;
use jiff::civil::date;

use super::*;
use crate::credentials::{administrator, generate};

const YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 60 * 60);

/// A file as people have it: comments, a list without indentation, fields that IEC does not know, another current context.
const OTHERS: &str = "# mine, by hand
apiVersion: v1
kind: Config
preferences: {colors: true}
clusters:
# the office
- cluster:
    server: https://office:6443   # behind the VPN
    insecure-skip-tls-verify: true
  name: office
users:
  - name: office
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: office-login
        args: [\"--fast\"]
contexts:
- context: {cluster: office, user: office, namespace: web}
  name: office
current-context: office
x-own: [1, 2]
# the end
";

const JSON: &str = r#"{"kind":"Config","apiVersion":"v1","clusters":[{"name":"office","cluster":{"server":"https://office"}}],
 "users":[],"contexts":null,"current-context":"office"}"#;

fn credentials() -> Credentials {
    generate("0123456789abcdef".into(), 1, date(2026, 9, 1)).unwrap()
}

fn now() -> Timestamp {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

fn wanted(credentials: &Credentials) -> Wanted<'_> {
    Wanted {
        name: "store-0417",
        server: "https://10.0.0.11:6443".to_owned(),
        server_name: "api.store-0417.iec.internal".to_owned(),
        authority: &credentials.cluster_ca,
    }
}

fn merged(credentials: &Credentials, text: Option<&str>, selection: Selection) -> Result<String, Refusal> {
    let identity = administrator(&credentials.cluster_ca, now(), YEAR).unwrap();
    let text = text.map(|text| Secret::new(text.to_owned()));
    let merged = wanted(credentials).merged(text.as_ref(), &identity, selection)?;
    Ok(merged.expose().clone())
}

fn left(credentials: &Credentials, text: &str) -> Left {
    wanted(credentials)
        .taken_out(&Secret::new(text.to_owned()))
        .unwrap()
}

#[test]
fn a_new_file_has_the_entries_of_the_site_and_goes_with_them() {
    let own = credentials();
    let text = merged(&own, None, Selection::Keep).unwrap();
    let root = values(&text).unwrap();
    assert_eq!(root[CURRENT], "store-0417");
    let cluster = &root["clusters"][0];
    assert_eq!(cluster["name"], "store-0417");
    assert_eq!(cluster["cluster"]["server"], "https://10.0.0.11:6443");
    assert_eq!(
        cluster["cluster"]["tls-server-name"],
        "api.store-0417.iec.internal"
    );
    assert_eq!(root["users"][0]["user"].as_object().unwrap().len(), 2);
    let is_in = |now: Timestamp| {
        wanted(&own)
            .is_in(&text, Selection::Keep, now.as_second())
            .unwrap()
    };
    assert!(is_in(now()));
    assert!(!is_in("2027-09-15T00:00:00Z".parse().unwrap()), "it ends soon");
    assert!(matches!(left(&own, &text), Left::Nothing));
}

#[test]
fn what_others_have_put_there_keeps_every_byte() {
    let own = credentials();
    for original in [OTHERS, &OTHERS.replace("\n# the end\n", ""), JSON] {
        let text = merged(&own, Some(original), Selection::Keep).unwrap();
        assert_eq!(values(&text).unwrap()[CURRENT], "office");
        // Twice is once: the second time the entries stand where they stood.
        let again = merged(&own, Some(&text), Selection::Keep).unwrap();
        assert_eq!(again.lines().count(), text.lines().count());
        let Left::Others(after) = left(&own, &again) else {
            panic!("the entries of others are left")
        };
        assert_eq!(
            values(after.expose()).unwrap()["clusters"],
            values(original).unwrap()["clusters"]
        );
        for line in original.lines().filter(|_| original != JSON) {
            assert!(text.contains(line) && after.expose().contains(line), "{line}");
        }
    }
    let text = merged(&own, Some(OTHERS), Selection::Keep).unwrap();
    let Left::Others(after) = left(&own, &text) else {
        panic!("the entries of others are left")
    };
    assert_eq!(after.expose(), OTHERS);
}

#[test]
fn lists_of_every_layout_get_an_entry_and_lose_it() {
    let own = credentials();
    for original in [
        "",
        "# nothing yet\n",
        "apiVersion: v1\nkind: Config\n",
        "apiVersion: v1\nkind: Config\nclusters: []\nusers: null\ncontexts:\ncurrent-context:\n",
        "apiVersion: v1\nkind: Config\nclusters: # none\nusers: [] # none\ncontexts: ~",
        "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: b}}]\n",
        "{}",
        "{\"clusters\": null, \"users\": [ ]}",
        "---\nclusters:\n    -   name: a\n        cluster:\n            server: |\n                b\nusers: []\n",
        "contexts:\n- name: a\n  context: {}\nclusters:\n- name: a\n  cluster: {server: x, extensions: [{name: e, extension: {k: v}}]}\n",
    ] {
        let text = merged(&own, Some(original), Selection::Select)
            .unwrap_or_else(|error| panic!("{original}: {error}"));
        assert!(
            wanted(&own)
                .is_in(&text, Selection::Select, now().as_second())
                .unwrap(),
            "{text}"
        );
        let Left::Others(after) = left(&own, &text) else {
            panic!("IEC has not made {original}")
        };
        let (before, after) = (
            values(if is_blank(original) { EMPTY } else { original }).unwrap(),
            values(after.expose()).unwrap(),
        );
        for (list, _) in LISTS {
            let items = |root: &Value| root[list].as_array().cloned().unwrap_or_default();
            assert_eq!(items(&before), items(&after), "{original}");
        }
        assert_eq!(after[CURRENT], "");
    }
}

#[test]
fn entries_of_this_name_that_are_anothers_are_refused_and_stay() {
    let (own, other) = (credentials(), credentials());
    let theirs = merged(&other, None, Selection::Keep).unwrap();
    assert!(matches!(
        merged(&own, Some(&theirs), Selection::Keep),
        Err(Refusal::Foreign { list: "clusters", .. })
    ));
    assert!(matches!(left(&own, &theirs), Left::Unchanged));
    let exec = merged(&own, None, Selection::Keep)
        .unwrap()
        .replace("client-key-data:", "exec: {command: sh}\n    client-key-data:");
    let refused = merged(&own, Some(&exec), Selection::Keep);
    assert!(
        matches!(refused, Err(Refusal::Foreign { list: "users", .. })),
        "{refused:?}"
    );
    // The site's cluster and context go; what somebody logs in with stays theirs.
    let Left::Others(after) = left(&own, &exec) else {
        panic!("the user's entry is left")
    };
    assert!(after.expose().contains("command: sh"));
    let context = "contexts: [{name: store-0417, context: {cluster: store-0417, user: me}}]\n";
    assert!(matches!(
        merged(&own, Some(context), Selection::Keep),
        Err(Refusal::Foreign { list: "contexts", .. })
    ));
    let twice = "clusters: [{name: store-0417}, {name: store-0417}]\n";
    assert!(matches!(
        merged(&own, Some(twice), Selection::Keep),
        Err(Refusal::Foreign { .. })
    ));
}

#[test]
fn what_is_no_kubeconfig_is_refused_without_its_content() {
    let own = credentials();
    for text in [
        "client-key-data: [c2VjcmV0",
        "- c2VjcmV0\n",
        "c2VjcmV0",
        "clusters: c2VjcmV0\n",
        "kind: Site\n",
        "a: 1\n---\nb: 2\n",
        "clusters: []\nclusters: []\n",
        "\u{0}",
    ] {
        let error = merged(&own, Some(text), Selection::Keep).expect_err(text);
        assert!(matches!(error, Refusal::Form(_)), "{text}: {error:?}");
        assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
    }
    let reference = "clusters: &all []\nusers: *all\n";
    assert!(matches!(
        merged(&own, Some(reference), Selection::Keep),
        Err(Refusal::Layout)
    ));
}

#[test]
fn a_namespace_that_somebody_chose_stays() {
    let own = credentials();
    let text = merged(&own, None, Selection::Keep).unwrap();
    let chosen = text.replace("    user: store-0417", "    user: store-0417\n    namespace: web");
    let mut moved = wanted(&own);
    moved.server = "https://10.0.0.12:6443".to_owned();
    let identity = administrator(&own.cluster_ca, now(), YEAR).unwrap();
    let again = moved
        .merged(Some(&Secret::new(chosen)), &identity, Selection::Keep)
        .unwrap();
    assert!(again.expose().contains("namespace: web") && again.expose().contains("10.0.0.12"));
}

mod files {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use super::*;

    fn text(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_new_file_is_its_owners_only_and_an_old_one_keeps_its_mode_and_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".kube/config");
        drop(Lock::take(&path).unwrap());
        write(&path, &text("a")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        write(&link, &text("b")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), mode(&path)),
            ("b", 0o400)
        );
        remove(&link).unwrap();
        assert!(!path.exists() && fs::symlink_metadata(&link).is_ok());
        assert_eq!(read(&link).unwrap_err().code, "IEC3950");
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        for path in [fifo.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert_eq!(
                read_private(path).unwrap_err().code,
                "IEC3950",
                "{}",
                path.display()
            );
        }
        assert!(read(&folder.path().join("none")).unwrap().is_none());
        let open = folder.path().join("open");
        fs::write(&open, "").unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(read_private(&open).unwrap_err().code, "IEC3953");
        assert!(read(&open).unwrap().is_some());
        let several = read(Path::new("/none/a:/none/b")).unwrap_err();
        assert_eq!((several.code.as_ref(), several.next.len()), ("IEC3956", 2));
    }

    #[test]
    fn kubectls_lock_is_kept_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let lock = Lock::take(&path).unwrap();
        assert!(folder.path().join("config.lock").exists());
        let error = Lock::take(&path).unwrap_err();
        assert_eq!(error.code, "IEC3955");
        drop(lock);
        assert!(!folder.path().join("config.lock").exists());
    }
}
