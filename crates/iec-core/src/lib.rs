//! What a site should be and what to do about it: pure, without input or output.

pub mod architecture;
pub mod check;
pub mod content;
pub mod credentials;
pub mod diagnostic;
pub mod event;
pub mod explain;
pub mod facts;
pub mod import;
pub mod journal;
pub mod method;
pub mod name;
mod nearest;
pub mod observed;
pub mod plan;
pub mod probe;
pub mod quantity;
pub mod reach;
pub mod release;
pub mod removal;
pub mod render;
pub mod report;
pub mod reset;
pub mod schema;
pub mod secret;
pub mod site;
pub mod spec;
