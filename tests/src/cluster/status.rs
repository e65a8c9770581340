//! What `crm_mon` says, as values.

use anyhow::{Context, Result, bail};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// One look at a cluster.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The designated controller, if there is one.
    pub dc: Option<String>,
    /// Whether the partition that was looked at has quorum.
    pub quorum: bool,
    /// Cluster nodes and guests.
    pub nodes: Vec<Node>,
    /// Every resource instance, also stopped ones.
    pub resources: Vec<Resource>,
    /// Failed actions that were not cleaned up.
    pub failures: Vec<Failure>,
}

/// A cluster node or a guest.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Online; for a guest `crm_mon` prints this as `RemoteOnline`.
    pub online: bool,
    /// Shown as pending: on its way in.
    pub pending: bool,
    /// In standby.
    pub standby: bool,
    /// Waiting to be fenced.
    pub unclean: bool,
    /// A guest, that is a Pacemaker Remote node.
    pub remote: bool,
}

/// One instance of a resource.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its id, for an instance of a clone the id of the primitive.
    pub id: String,
    /// `Started`, `Stopped`, `Promoted`, ... in the cluster's words.
    pub role: String,
    /// Marked as failed.
    pub failed: bool,
    /// The nodes it runs on.
    pub nodes: Vec<String>,
}

/// A failed action.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its key, such as `web_monitor_2000`.
    pub operation: String,
    /// Where it failed.
    pub node: String,
    /// The result in words.
    pub result: String,
}

impl Status {
    /// Reads the output of `crm_mon --output-as=xml -1 -r`.
    pub fn parse(xml: &str) -> Result<Self> {
        let mut reader = Reader::from_str(xml);
        let mut status = Self::default();
        let mut path: Vec<String> = Vec::new();
        loop {
            match reader.read_event().context("parse crm_mon's output")? {
                Event::Start(element) => {
                    status.element(&path, &element)?;
                    path.push(element.name().as_ref().to_owned());
                }
                Event::Empty(element) => status.element(&path, &element)?,
                Event::End(_) => drop(path.pop()),
                Event::Eof => return Ok(status),
                _ => {}
            }
        }
    }

    /// The node or guest of that name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Whether that node or guest is online and not on its way in or out.
    pub fn is_online(&self, name: &str) -> bool {
        self.node(name).is_some_and(|node| node.online && !node.pending && !node.unclean)
    }

    /// Where the resource runs in `role` and is not failed. Roles are compared as the cluster prints them, which
    /// says `Started` of a resource that has no other role.
    pub fn node_of(&self, resource: &str, role: &str) -> Option<&str> {
        let runs = |r: &&Resource| r.id == resource && r.role == role && !r.failed;
        self.resources.iter().find(runs)?.nodes.first().map(String::as_str)
    }

    /// Whether the resource is started there and nowhere else.
    pub fn runs_on(&self, resource: &str, node: &str) -> bool {
        let mut nodes = self.resources.iter().filter(|r| r.id == resource).flat_map(|r| &r.nodes);
        nodes.next().is_some_and(|name| name == node)
            && nodes.next().is_none()
            && self.node_of(resource, "Started") == Some(node)
    }

    fn element(&mut self, path: &[String], element: &BytesStart) -> Result<()> {
        let parent = path.last().map(String::as_str);
        let a = |name| attribute(element, name);
        match (parent, element.name().as_ref()) {
            (Some("summary"), "current_dc") => {
                self.dc = a("name")?;
                self.quorum = flag(element, "with_quorum")?;
            }
            (Some("nodes"), "node") => self.nodes.push(Node {
                name: needed(element, "name")?,
                online: flag(element, "online")?,
                pending: flag(element, "pending")?,
                standby: flag(element, "standby")?,
                unclean: flag(element, "unclean")?,
                remote: a("type")?.as_deref() == Some("remote"),
            }),
            (_, "resource") if path.iter().any(|name| name == "resources") => self.resources.push(Resource {
                id: needed(element, "id")?,
                role: needed(element, "role")?,
                failed: flag(element, "failed")?,
                nodes: Vec::new(),
            }),
            (Some("resource"), "node") => {
                let resource = self.resources.last_mut().context("crm_mon: a node inside no resource")?;
                resource.nodes.push(needed(element, "name")?);
            }
            (_, "failure") => self.failures.push(Failure {
                operation: a("op_key")?.or(a("id")?).unwrap_or_default(),
                node: needed(element, "node")?,
                result: a("exitstatus")?.unwrap_or_default(),
            }),
            _ => {}
        }
        Ok(())
    }
}

fn attribute(element: &BytesStart, name: &str) -> Result<Option<String>> {
    let found = element.try_get_attribute(name).with_context(|| format!("crm_mon: attribute {name}"))?;
    found
        .map(|a| {
            a.normalized_value(XmlVersion::Implicit1_0)
                .map(Into::into)
                .with_context(|| format!("crm_mon: value of {name}"))
        })
        .transpose()
}

pub(super) fn needed(element: &BytesStart, name: &str) -> Result<String> {
    match attribute(element, name)? {
        Some(value) => Ok(value),
        None => bail!("{} without {name}", element.name().as_ref()),
    }
}

fn flag(element: &BytesStart, name: &str) -> Result<bool> {
    Ok(attribute(element, name)?.as_deref() == Some("true"))
}
