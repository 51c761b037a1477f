//! Whether the filter runs in the clusters to which `models` may send: where it doesn't, it refuses every request that would go there.
//!
//! Only of clusters in the same file; a listener of its own may find its clusters in another.

use std::rc::Rc;

use nexus_ai_gateway::policy::Policy;
use nexus_ai_gateway::route::ProviderIx;

use crate::yaml::Node;

/// What is wrong with the file's clusters for this gateway.
pub fn missing(documents: &[Rc<Node>], policy: &Policy) -> Option<String> {
    let clusters: Vec<_> = documents.iter().flat_map(|document| clusters(document)).collect();
    let is_sent_to = |ix| policy.models.models().iter().flat_map(|model| &model.serving).any(|it| it.provider == ix);
    let providers = policy.providers.iter().zip((0..).map(ProviderIx));
    let sent_to = providers.filter(|(provider, ix)| provider.reach.has_key && is_sent_to(*ix));
    let mut lacking = sent_to.filter_map(|(provider, _)| {
        let cluster = clusters.iter().find(|cluster| is(cluster.get("name"), &provider.cluster))?;
        (!holds(cluster, &provider.name)).then_some((provider, cluster))
    });
    let (provider, cluster) = lacking.next()?;
    Some(format!(
        "models: the provider `{name}` is sent nothing: its cluster `{of}` (line {line}) has no plugin with `attempt_of: {name}`",
        name = provider.name,
        of = provider.cluster,
        line = cluster.at.line,
    ))
}

fn clusters(document: &Node) -> Vec<Rc<Node>> {
    let listed = document.get("static_resources").and_then(|resources| resources.get("clusters"));
    listed.map(|clusters| clusters.list().to_vec()).unwrap_or_default()
}

fn is(node: Option<&Rc<Node>>, text: &str) -> bool {
    node.and_then(|node| node.text()) == Some(text)
}

/// Whether a plugin for this provider's attempts is anywhere in it.
fn holds(node: &Node, provider: &str) -> bool {
    is(node.get("attempt_of"), provider)
        || node.list().iter().any(|item| holds(item, provider))
        || node.map().iter().any(|(_, value)| {
            let written = value
                .text()
                .is_some_and(|text| text.contains("attempt_of") && text.contains(&format!("\"{provider}\"")));
            written || holds(value, provider)
        })
}
