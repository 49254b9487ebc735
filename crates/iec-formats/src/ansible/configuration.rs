//! What `ansible.cfg` says about logging in, for hosts of which no variable says it.

use iec_core::spec::source::Source;

use super::variable::{Value, Variable, Variables};

/// The section, and its settings with the variables that are stronger.
const SECTION: &str = "defaults";
const SETTINGS: [(&str, &str); 3] = [
    ("remote_user", "ansible_user"),
    ("remote_port", "ansible_port"),
    ("private_key_file", "ansible_private_key_file"),
];

/// The variables that the settings stand for. Lines that Python's `configparser` would refuse are passed over: Ansible says
/// what is wrong with them.
pub(super) fn read(source: &Source<'_>) -> Variables {
    let mut variables = Variables::new();
    let mut within = false;
    let mut offset = 0;
    for whole in source.text.split_inclusive('\n') {
        let start = offset;
        offset += whole.len();
        let line = whole.trim_end();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            within = section.0 == SECTION;
            continue;
        }
        let Some((key, value)) = line.split_once(['=', ':']) else {
            continue;
        };
        let key = key.trim().to_ascii_lowercase();
        let setting = SETTINGS.iter().find(|(setting, _)| *setting == key);
        if let Some((_, variable)) = setting.filter(|_| within && !line.starts_with(char::is_whitespace)) {
            let value = without_comment(value).trim();
            let place = source.place(start..start + line.len());
            let value = Value::Text(value.to_owned());
            if !matches!(&value, Value::Text(text) if text.is_empty()) {
                variables.insert((*variable).to_owned(), Variable { value, place });
            }
        }
    }
    variables
}

/// The value without a comment, which begins with `;` behind a space.
fn without_comment(value: &str) -> &str {
    let comment = value
        .match_indices(';')
        .find(|(at, _)| value[..*at].ends_with(char::is_whitespace));
    comment.map_or(value, |(at, _)| &value[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_right_section_count() {
        let text = "remote_user = no\n[ssh_connection]\nremote_user = no\n[defaults]\n# remote_user = no\n  remote_user = no\nRemote_User = core ; me\nremote_port: 2222\nprivate_key_file =\nhost_key_checking = False\n";
        let variables = read(&Source::new(text, "ansible.cfg"));
        let found: Vec<(&str, Option<&str>, usize)> = variables
            .iter()
            .map(|(name, variable)| (name.as_str(), variable.text(), variable.place.line))
            .collect();
        assert_eq!(
            found,
            [
                ("ansible_port", Some("2222"), 8),
                ("ansible_user", Some("core"), 7)
            ]
        );
    }
}
