//! Documents for other programs: YAML text from values.

use serde_json::Value;

/// The values as one YAML file, a document each.
pub fn documents(values: &[Value]) -> String {
    let texts: Vec<String> = values
        .iter()
        .map(|value| {
            serde_saphyr::to_string(value)
                .expect("a JSON value has string keys only and can be written as YAML")
        })
        .map(|text| if text.ends_with('\n') { text } else { text + "\n" })
        .collect();
    texts.join("---\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::documents;

    #[test]
    fn what_is_written_is_read_back() {
        let values = vec![
            json!({"a": "yes", "b": [1, true, null, "1"], "c": {"d": "x: y", "e": "", "f": "line\nline\n"}, "g": []}),
            json!({"version": "1.10", "octal": "0644", "time": "12:30", "empty": {}, "hash": "# no"}),
        ];
        let text = documents(&values);
        let read: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(read, values, "{text}");
    }
}
