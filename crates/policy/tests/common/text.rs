//! Policies of one text.

use mif_policy::{Input, Policy, Text, parse};

/// The policy that an application's file comes to.
pub(crate) fn policy(text: &str) -> Policy {
    let app = Some(Text {
        path: "app.toml".into(),
        text: text.into(),
    });
    parse(&Input {
        app,
        ..Input::default()
    })
    .unwrap_or_else(|faults| panic!("{faults}"))
}
