//! A page as one HTML document that asks for nothing else and prints well.

use std::fmt::Write as _;

use super::page::{Block, Entry, Page, Prose, Span, Table};

/// How it looks, on a screen and on paper.
const STYLE: &str = include_str!("runbook.css");

pub(super) fn html(page: &Page) -> String {
    let title = escaped(&page.title);
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    for block in &page.blocks {
        write_block(&mut text, block);
    }
    text.push_str("</main>\n</body>\n</html>\n");
    text
}

fn write_block(text: &mut String, block: &Block) {
    let _ = match block {
        Block::Heading {
            level,
            anchor,
            text: words,
            tick,
        } => {
            let tick = if *tick { "<span class=\"tick\"></span>" } else { "" };
            writeln!(
                text,
                "<h{level} id=\"{}\">{tick}{}</h{level}>",
                escaped(anchor),
                escaped(words)
            )
        }
        Block::Prose(prose) => writeln!(text, "<p>{}</p>", written(prose)),
        Block::Notice(prose) => writeln!(text, "<p class=\"notice\">{}</p>", written(prose)),
        Block::List(items) => writeln!(text, "<ul>\n{}</ul>", items_text("", items)),
        Block::Tasks(items) => writeln!(
            text,
            "<ul class=\"tasks\">\n{}</ul>",
            items_text("<span class=\"tick\"></span>", items)
        ),
        Block::Table(table) => write_table(text, table),
        Block::Contents(entries) => write_contents(text, entries),
        Block::Commands(commands) => {
            let step = commands.step.as_deref().unwrap_or_default();
            // Short ones stay on one sheet of paper.
            let long = if commands.text.lines().count() > 40 {
                " long"
            } else {
                ""
            };
            writeln!(
                text,
                "<pre class=\"{}{long}\" data-host=\"{}\" data-step=\"{}\" data-number=\"{}\"><code>{}</code></pre>",
                commands.part,
                escaped(&commands.host),
                escaped(step),
                escaped(&commands.number),
                escaped(&commands.text)
            )
        }
        Block::Example(commands) => writeln!(
            text,
            "<pre class=\"example\"><code>{}</code></pre>",
            escaped(commands)
        ),
    };
}

fn items_text(mark: &str, items: &[Prose]) -> String {
    items
        .iter()
        .map(|item| format!("<li>{mark}{}</li>\n", written(item)))
        .collect()
}

fn write_table(text: &mut String, table: &Table) -> std::fmt::Result {
    let class = if table.form { " class=\"form\"" } else { "" };
    let head: String = table
        .head
        .iter()
        .map(|cell| format!("<th>{}</th>", escaped(cell)))
        .collect();
    writeln!(text, "<table{class}>\n<thead><tr>{head}</tr></thead>\n<tbody>")?;
    for row in &table.rows {
        let cells: String = row
            .iter()
            .map(|cell| format!("<td>{}</td>", written(cell)))
            .collect();
        writeln!(text, "<tr>{cells}</tr>")?;
    }
    writeln!(text, "</tbody>\n</table>")
}

fn write_contents(text: &mut String, entries: &[Entry]) -> std::fmt::Result {
    writeln!(text, "<nav>\n<ol class=\"contents\">")?;
    for entry in entries {
        writeln!(
            text,
            "<li class=\"level-{}\"><a href=\"#{}\">{}</a></li>",
            entry.level,
            escaped(&entry.anchor),
            escaped(&entry.text)
        )?;
    }
    writeln!(text, "</ol>\n</nav>")
}

fn written(prose: &Prose) -> String {
    prose.0.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    match span {
        Span::Plain(text) => escaped(text),
        Span::Code(text) => format!("<code>{}</code>", escaped(text)),
        Span::Strong(text) => format!("<strong>{}</strong>", escaped(text)),
        Span::Link { text, anchor } => format!("<a href=\"#{}\">{}</a>", escaped(anchor), escaped(text)),
    }
}

/// The same characters, none of which HTML reads as a mark, in text as in attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_becomes_a_mark() {
        let page = Page {
            title: "<script>alert('x')</script>".to_owned(),
            blocks: vec![
                Block::Prose(Prose::new("a & b `c<d`")),
                Block::Example("\"</code>".to_owned()),
            ],
        };
        let text = html(&page);
        assert!(!text.contains("<script"));
        assert!(text.contains("<p>a &amp; b <code>c&lt;d</code></p>"));
        assert!(text.contains("<code>&quot;&lt;/code&gt;</code>"));
    }
}
