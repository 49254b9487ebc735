//! `iec render`: the plan as files, for methods without a connection from here to the hosts.

mod earlier;
mod folder;
mod image;
mod seal;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use iec_core::diagnostic::Diagnostics;
use iec_core::facts::{Facts, HostFacts};
use iec_core::plan::{HostPart, Plan, SecretName};
use iec_core::render::{
    ContentFrom, Files, Format, Options, Secrets, Subject, is_web_address, media, render,
};
use iec_core::secret::Secret;
use iec_core::site::Site;
use iec_formats::describe;
use iec_host::MediumKey;
use serde_json::{Value, json};

use self::earlier::Earlier;
use self::folder::{Written, write};
use super::content::Content;
use super::facts_file;
use super::operation::run_name;
use super::planning::planned_unasked;
use super::reach::home;
use super::site_file;
use crate::cli::{Render, RenderCarried, RenderContent, RenderDescription, RenderPlace, RenderSecrets};
use crate::error::{CliError, Outcome, unreadable};
use crate::settings::Settings;
use crate::text_file;
use crate::ui::{Document, Ui, count, size};

/// Renders the plan into a folder.
pub(super) fn run(render: &Render, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let job = match render {
        Render::Script(given) => Job::carried(Format::Script, given),
        Render::Runbook(given) => Job::carried(Format::Runbook, given),
        Render::Ansible(given) => Job::carried(Format::Ansible, given),
        Render::Seed(given) => Job {
            form: Form::Carried(Format::Seed),
            place: &given.place,
            secrets: Some(&given.secrets),
            content: ContentFrom::Copied,
            images: given.iso,
            authorized_keys: None,
        },
        Render::CloudInit(given) => Job {
            form: Form::Carried(Format::CloudInit),
            place: &given.place,
            secrets: Some(&given.secrets),
            content: given.url.clone().map_or(ContentFrom::Copied, ContentFrom::At),
            images: given.iso,
            authorized_keys: given.authorized_keys.as_deref(),
        },
        Render::PdfIdf(given) => Job::description(iec_formats::Format::PdfIdf, given),
        Render::Airship(given) => Job::description(iec_formats::Format::Airship, given),
        Render::Metal3(given) => Job::description(iec_formats::Format::Metal3, given),
        Render::ClusterInstance(given) => Job::description(iec_formats::Format::ClusterInstance, given),
    };
    job.run(settings, ui)
}

impl From<RenderContent> for ContentFrom {
    fn from(content: RenderContent) -> Self {
        match content {
            RenderContent::Copy => Self::Copied,
            RenderContent::None => Self::Elsewhere,
        }
    }
}

/// A form in which a site leaves IEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A method that is carried to the hosts.
    Carried(Format),
    /// A description for another installer. It needs no bundle.
    Described(iec_formats::Format),
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Carried(format) => format.name(),
            Self::Described(format) => format.name(),
        }
    }

    const fn is_described(self) -> bool {
        matches!(self, Self::Described(_))
    }

    fn files(self, subject: &Subject<'_>, options: &Options) -> Result<Files, Diagnostics> {
        match self {
            Self::Carried(format) => Ok(render(subject, format, options)),
            Self::Described(format) => describe(subject, format),
        }
    }
}

/// One rendering.
struct Job<'a> {
    form: Form,
    place: &'a RenderPlace,
    /// How secrets go along; nothing for a format that has none.
    secrets: Option<&'a RenderSecrets>,
    content: ContentFrom,
    /// Whether images of the media are written too.
    images: bool,
    /// Whose keys a new account gets, where somebody names them.
    authorized_keys: Option<&'a Path>,
}

impl<'a> Job<'a> {
    fn carried(format: Format, given: &'a RenderCarried) -> Self {
        Self {
            form: Form::Carried(format),
            place: &given.place,
            secrets: Some(&given.secrets),
            content: given.content.into(),
            images: false,
            authorized_keys: None,
        }
    }

    /// A description for another installer: neither secrets nor content go along.
    fn description(format: iec_formats::Format, given: &'a RenderDescription) -> Self {
        Self {
            form: Form::Described(format),
            place: &given.place,
            secrets: None,
            content: ContentFrom::Elsewhere,
            images: false,
            authorized_keys: None,
        }
    }

    fn run(&self, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
        if let ContentFrom::At(url) = &self.content
            && !is_web_address(url)
        {
            return Err(
                CliError::refused("IEC3933", "what --url names is no address of the web")
                    .next("give it as http://10.0.0.1/iec, without blanks, quotes or a query"),
            );
        }
        folder::refuse(&self.place.out, self.place.force)?;
        let writer = self.images.then(image::writer).transpose()?;
        let file = site_file::read(&self.place.site)?;
        ui.diagnostics(&file.warnings, &file.text);
        let facts = match &self.place.facts {
            Some(path) => facts_file::read(path)?,
            None => Facts::assume(&file.site),
        };
        let content = if self.form.is_described() {
            Content::open_or_named(&file, &facts, settings, ui)?
        } else {
            Content::open(&file, settings, ui)?
        };
        let (secrets, passphrase) = self.secrets(ui)?;
        let plan = planned_unasked(&file, &content, &facts, ui)?;
        let moment = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
        let run = run_name();
        let subject = Subject {
            site: &file.site,
            facts: &facts,
            release: &content.release,
            content: &content.bundle.manifest,
            plan: &plan,
            moment: &moment,
            who: &settings.who,
            run: run.as_str(),
        };
        let medium_key = self.medium_key(&plan);
        let options = Options {
            secrets,
            content: self.content.clone(),
            authorized_keys: self.keys(&file.site, settings)?,
            medium_key: medium_key.as_ref().map(MediumKey::public).unwrap_or_default(),
        };
        let files = self.form.files(&subject, &options).map_err(|problems| {
            CliError::refused(
                "IEC3920",
                format!(
                    "the site {} cannot be rendered as {}",
                    file.site.name(),
                    self.form.name()
                ),
            )
            .with_diagnostics(file.text.clone(), problems)
        })?;
        let media = match self.form {
            Form::Carried(format) if self.images => media(format, &files),
            _ => Vec::new(),
        };
        let mut secret_files = folder::secrets(&files, passphrase.is_some());
        secret_files.append(&mut image::with_secrets(&media, &secret_files));
        let removed = Earlier::in_folder(&self.place.out)?.make_way(&self.place.out, &secret_files)?;
        let mut written = write(&files, &self.place.out, passphrase.as_ref(), &content)?;
        if let Some(key) = medium_key {
            written.extend(folder::sign(&written, &self.place.out, &key)?);
        }
        if let Some(writer) = writer {
            let images = image::write(&writer, &self.place.out, &media, &written)?;
            written.extend(images);
        }
        let assumed = assumed(&facts);
        if self.form == Form::Carried(Format::CloudInit) && options.authorized_keys.is_empty() {
            ui.say("No key is known that could log in to the new hosts; they keep their image's own account. --authorized-keys names one.");
        }
        let value = json!({
            "site": file.site.name(),
            "format": self.form.name(),
            "out": self.place.out,
            "run": run.as_str(),
            "files": written.iter().map(Written::json).collect::<Vec<_>>(),
            "removed": removed,
            "assumed": assumed.iter().map(|(host, sections)| json!({ "host": host, "sections": sections })).collect::<Vec<Value>>(),
        });
        ui.result(Document::Render, &value, || {
            self.text(&written, &removed, &assumed)
        });
        Ok(Outcome::Done)
    }

    /// The key by which the hosts know the medium of their site; none for a format whose media are known otherwise.
    fn medium_key(&self, plan: &Plan) -> Option<MediumKey> {
        let authority = |part: &HostPart| part.secrets.get(&SecretName::ClusterCaKey).cloned();
        let key = plan.hosts.iter().find_map(authority)?;
        (self.form == Form::Carried(Format::Seed)).then(|| MediumKey::of(&key))
    }

    /// Whose keys a new account gets; none for a format that makes no account.
    fn keys(&self, site: &Site, settings: &Settings) -> Result<Vec<String>, CliError> {
        if self.form != Form::Carried(Format::CloudInit) {
            return Ok(Vec::new());
        }
        if let Some(path) = self.authorized_keys {
            let text = text_file::read(path, text_file::DOCUMENT)
                .map_err(|error| unreadable("IEC3931", "file of keys", path, &error))?;
            let lines = text.lines().map(str::trim);
            let keys: Vec<String> = lines
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned)
                .collect();
            if keys.is_empty() || keys.iter().any(|key| key.contains("PRIVATE KEY")) {
                return Err(CliError::refused(
                    "IEC3931",
                    format!("{} is no file of public keys", path.display()),
                )
                .next("name a file as authorized_keys is one, such as ~/.ssh/id_ed25519.pub"));
            }
            return Ok(keys);
        }
        let identity = site
            .access()
            .identity()
            .map(|path| match path.strip_prefix("~/") {
                Some(rest) => home(settings).join(rest),
                None => PathBuf::from(path),
            });
        Ok(identity
            .and_then(|path| iec_host::public_key(&path))
            .into_iter()
            .collect())
    }

    /// How secrets go along, and the passphrase where there is one.
    fn secrets(&self, ui: &Ui) -> Result<(Secrets, Option<Secret<String>>), CliError> {
        let Some(secrets) = self.secrets else {
            return Ok((Secrets::None, None));
        };
        if secrets.no_secrets {
            return Ok((Secrets::None, None));
        }
        if secrets.plain_secrets {
            return Ok((Secrets::Plain, None));
        }
        let passphrase = match &secrets.passphrase_file {
            Some(path) => {
                let text = text_file::read(path, text_file::SECRETS)
                    .map(Secret::new)
                    .map_err(|error| unreadable("IEC3923", "passphrase file", path, &error))?;
                text.map(|text| text.lines().next().unwrap_or_default().to_owned())
            }
            None => ui.ask_passphrase(
                "Passphrase for the hosts' secrets",
                "--passphrase-file or --plain-secrets",
            )?,
        };
        match unusable(passphrase.expose()) {
            Some(cause) => {
                Err(CliError::refused("IEC3924", cause)
                    .next("take four or five words that nobody would guess"))
            }
            None => Ok((Secrets::Encrypted, Some(passphrase))),
        }
    }

    fn text(
        &self,
        written: &[Written],
        removed: &[String],
        assumed: &BTreeMap<String, Vec<&'static str>>,
    ) -> String {
        let mut text = String::new();
        let (blobs, others): (Vec<_>, Vec<_>) = written.iter().partition(|file| file.blob);
        for file in others {
            let note = match (file.secret, file.encrypted) {
                (true, true) => "  secret, encrypted",
                (true, false) => "  SECRET, as it is",
                (false, _) => "",
            };
            let _ = writeln!(text, "  {:o} {}{note}", file.mode, file.path);
        }
        if !blobs.is_empty() {
            let total: u64 = blobs.iter().map(|file| file.size).sum();
            let _ = writeln!(
                text,
                "  and {} of the bundle below blobs ({})",
                count(blobs.len(), "file"),
                size(total)
            );
        }
        for path in removed {
            let _ = writeln!(text, "Removed {path}, secrets of an earlier rendering.");
        }
        for (host, sections) in assumed {
            let what = if sections.len() == HostFacts::SECTIONS.len() {
                "everything".to_owned()
            } else {
                sections.join(", ")
            };
            let _ = writeln!(text, "Assumed of {host}, since nobody observed it: {what}.");
        }
        let _ = writeln!(
            text,
            "Wrote {} to {}",
            count(written.len(), "file"),
            self.place.out.display()
        );
        text
    }
}

/// Fewer characters than these are found by trying.
const LEAST_PASSPHRASE: usize = 12;

/// More bytes than these, openssl on a host would not read whole: its own limit is 1024.
const MOST_PASSPHRASE: usize = 1000;

/// Why a passphrase cannot be taken, if so.
fn unusable(passphrase: &str) -> Option<String> {
    if passphrase.chars().count() < LEAST_PASSPHRASE {
        Some(format!(
            "the passphrase has fewer than {LEAST_PASSPHRASE} characters"
        ))
    } else if passphrase.len() > MOST_PASSPHRASE {
        Some(format!("the passphrase is longer than {MOST_PASSPHRASE} bytes"))
    } else if passphrase.contains(char::is_control) {
        Some("the passphrase contains a control character, which nobody can type on a host".to_owned())
    } else {
        None
    }
}

/// What nobody observed, by host.
fn assumed(facts: &Facts) -> BTreeMap<String, Vec<&'static str>> {
    let mut hosts: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (host, section) in facts.assumed() {
        hosts.entry(host.to_owned()).or_default().push(section);
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_can_be_typed_on_a_host_and_is_read_there_whole() {
        for good in ["correct horse", "żółć żółć żółć", &"a".repeat(MOST_PASSPHRASE)] {
            assert_eq!(unusable(good), None, "{good}");
        }
        for (bad, reason) in [
            ("short", "fewer than 12"),
            ("correct\rhorse battery", "control character"),
            ("correct\0horse battery", "control character"),
            ("correct\thorse battery", "control character"),
            (&*"a".repeat(MOST_PASSPHRASE + 1), "longer than 1000"),
        ] {
            let cause = unusable(bad).expect("it is refused");
            assert!(cause.contains(reason), "{cause}");
        }
    }
}
