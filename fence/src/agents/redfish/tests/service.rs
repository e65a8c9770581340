//! What any Redfish service has, whatever it manages: the documents of the protocol, sessions, headers (DSP0266).

use serde_json::{Value, json};

use super::bmc::error;
use crate::testing::{Answer, Seen};

/// `u` and `p`.
const BASIC: &str = "Basic dTpw";
pub(super) const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
const ROLES: [(&str, &[&str]); 3] = [
    (
        "Administrator",
        &["Login", "ConfigureManager", "ConfigureUsers", "ConfigureSelf", "ConfigureComponents"],
    ),
    ("Operator", &["Login", "ConfigureSelf", "ConfigureComponents"]),
    ("ReadOnly", &["Login", "ConfigureSelf"]),
];

/// Those who logged in.
#[derive(Default)]
pub(super) struct Sessions {
    open: Vec<u32>,
    last: u32,
}

impl Sessions {
    pub(super) fn knows(&self, seen: &Seen) -> bool {
        let token = seen.header("x-auth-token");
        seen.header("authorization") == Some(BASIC)
            || self.open.iter().any(|id| token == Some(format!("t0ken{id}").as_str()))
    }

    fn one(id: u32) -> Value {
        resource(&format!("{SESSIONS}/{id}"), "Session.v1_7_0.Session", &json!({"UserName": "u"}))
    }

    /// Logs in.
    pub(super) fn create(&mut self, seen: &Seen) -> Answer {
        let body: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        if !body["UserName"].is_string() || !body["Password"].is_string() {
            return error(400, "Base.1.0.PropertyMissing", "a property is missing");
        }
        if body != json!({"UserName": "u", "Password": "p"}) {
            return unknown();
        }
        self.last += 1;
        self.open.push(self.last);
        Answer::new(201, Self::one(self.last).to_string())
            .header("x-auth-token", &format!("t0ken{}", self.last))
            .header("location", &format!("{SESSIONS}/{}", self.last))
    }

    /// Everything about sessions but the login.
    fn answer(&mut self, seen: &Seen, id: Option<&str>) -> Answer {
        let Some(id) = id else {
            let members: Vec<Value> = self.open.iter().map(|id| link(&format!("{SESSIONS}/{id}"))).collect();
            return collection(SESSIONS, "SessionCollection", &members);
        };
        let Some(at) = self.open.iter().position(|open| open.to_string() == id) else {
            return error(404, "Base.1.0.ResourceMissingAtURI", "no such session");
        };
        if seen.method == "DELETE" {
            self.open.remove(at);
            return Answer::new(204, "");
        }
        Answer::json(&Self::one(self.open[at]))
    }
}

/// Nobody that it knows.
pub(super) fn unknown() -> Answer {
    error(401, "Base.1.0.NoValidSession", "authentication is required")
        .header("www-authenticate", "Basic realm=\"BMC\"")
}

pub(super) fn link(path: &str) -> Value {
    json!({ "@odata.id": path })
}

/// A resource of a type with what all of them have.
pub(super) fn resource(path: &str, kind: &str, more: &Value) -> Value {
    let id = path.rsplit('/').next().unwrap_or_default();
    let mut whole = json!({"@odata.id": path, "@odata.type": format!("#{kind}"), "Id": id, "Name": id});
    for (name, value) in more.as_object().into_iter().flatten() {
        whole[name] = value.clone();
    }
    whole
}

pub(super) fn collection(path: &str, kind: &str, members: &[Value]) -> Answer {
    Answer::json(&json!({
        "@odata.id": path, "@odata.type": format!("#{kind}.{kind}"), "Name": kind,
        "Members": members, "Members@odata.count": members.len(),
    }))
}

/// What is open to everybody.
pub(super) fn public(path: &str, product: &str) -> Option<Answer> {
    let answer = match path {
        "/redfish" => Answer::json(&json!({"v1": "/redfish/v1/"})),
        "/redfish/v1" => {
            let more = json!({
                "Id": "RootService", "RedfishVersion": "1.15.0", "UUID": "00000000-0000-4000-8000-000000000001",
                "Product": product, "Systems": link("/redfish/v1/Systems"),
                "SessionService": link("/redfish/v1/SessionService"),
                "AccountService": link("/redfish/v1/AccountService"), "Links": {"Sessions": link(SESSIONS)},
            });
            Answer::json(&resource("/redfish/v1/", "ServiceRoot.v1_15_0.ServiceRoot", &more))
        }
        "/redfish/v1/odata" => {
            let entry = |name: &str, url: &str| json!({"name": name, "kind": "Singleton", "url": url});
            let value = [
                entry("Service", "/redfish/v1/"),
                entry("Systems", "/redfish/v1/Systems"),
                entry("SessionService", "/redfish/v1/SessionService"),
                entry("AccountService", "/redfish/v1/AccountService"),
            ];
            Answer::json(&json!({"@odata.context": "/redfish/v1/$metadata", "value": value}))
        }
        "/redfish/v1/$metadata" => {
            let schema = "http://redfish.dmtf.org/schemas/v1/ServiceRoot_v1.xml";
            let xml = format!(
                r#"<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0"><edmx:Reference Uri="{schema}"><edmx:Include Namespace="ServiceRoot"/><edmx:Include Namespace="ServiceRoot.v1_15_0"/></edmx:Reference><edmx:DataServices><Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service"><EntityContainer Name="Service" Extends="ServiceRoot.v1_15_0.ServiceContainer"/></Schema></edmx:DataServices></edmx:Edmx>"#
            );
            Answer::new(200, xml).header("content-type", "application/xml;charset=utf-8")
        }
        _ => return None,
    };
    Some(answer)
}

/// What is open to those who are logged in, as far as it is no system.
pub(super) fn known(seen: &Seen, segments: &[&str], sessions: &mut Sessions) -> Option<Answer> {
    let path = format!("/{}", segments.join("/"));
    let is_ours = matches!(segments, ["redfish", "v1", "SessionService" | "AccountService", ..]);
    if is_ours && !is_allowed(seen, &path) {
        return Some(not_allowed(&path));
    }
    let answer = match segments {
        ["redfish", "v1", "SessionService"] => {
            let more = json!({"ServiceEnabled": true, "Sessions": link(SESSIONS)});
            Answer::json(&resource(
                "/redfish/v1/SessionService",
                "SessionService.v1_1_9.SessionService",
                &more,
            ))
        }
        ["redfish", "v1", "SessionService", "Sessions"] => sessions.answer(seen, None),
        ["redfish", "v1", "SessionService", "Sessions", id] => sessions.answer(seen, Some(id)),
        ["redfish", "v1", "AccountService"] => {
            let path = "/redfish/v1/AccountService";
            let more = json!({"Roles": link(&format!("{path}/Roles"))});
            Answer::json(&resource(path, "AccountService.v1_13_0.AccountService", &more))
        }
        ["redfish", "v1", "AccountService", "Roles"] => {
            let path = "/redfish/v1/AccountService/Roles";
            let members: Vec<Value> = ROLES.iter().map(|(role, _)| link(&format!("{path}/{role}"))).collect();
            collection(path, "RoleCollection", &members)
        }
        ["redfish", "v1", "AccountService", "Roles", id] => {
            let (role, privileges) = ROLES.iter().find(|(role, _)| role == id)?;
            let path = format!("/redfish/v1/AccountService/Roles/{role}");
            let more = json!({"RoleId": role, "IsPredefined": true, "AssignedPrivileges": privileges});
            Answer::json(&resource(&path, "Role.v1_3_1.Role", &more))
        }
        _ => return None,
    };
    Some(answer)
}

/// The methods of a path.
fn allowed(path: &str) -> &'static str {
    match path {
        SESSIONS => "GET, HEAD, POST",
        _ if path.starts_with(SESSIONS) => "GET, HEAD, DELETE",
        _ if path.contains("/Actions/") => "POST",
        _ => "GET, HEAD",
    }
}

/// What is to be refused before anybody is asked who they are.
pub(super) fn refused(seen: &Seen, path: &str) -> Option<Answer> {
    if seen.header("odata-version").is_some_and(|version| version != "4.0") {
        return Some(error(412, "Base.1.0.HeaderInvalid", "OData-Version is 4.0"));
    }
    let is_public = path == "/redfish" || path == "/redfish/v1" || path == "/redfish/v1/odata";
    let is_known = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"].contains(&seen.method.as_str());
    (!is_known || is_public && !is_allowed(seen, path)).then(|| not_allowed(path))
}

fn is_allowed(seen: &Seen, path: &str) -> bool {
    allowed(path).split(", ").any(|method| method == seen.method)
}

fn not_allowed(path: &str) -> Answer {
    error(405, "Base.1.0.OperationNotAllowed", "not this method").header("allow", allowed(path))
}

/// An answer with the headers that every answer has.
pub(super) fn finished(seen: &Seen, path: &str, mut answer: Answer) -> Answer {
    let has = |answer: &Answer, name: &str| answer.headers.iter().any(|(known, _)| known == name);
    answer = answer.header("odata-version", "4.0").header("cache-control", "no-cache");
    if !answer.body.is_empty() && !has(&answer, "content-type") {
        answer = answer.header("content-type", "application/json");
    }
    if matches!(seen.method.as_str(), "GET" | "HEAD") {
        answer = answer.header("link", "</redfish/v1/$metadata>; rel=describedby");
        if !has(&answer, "allow") {
            answer = answer.header("allow", allowed(path));
        }
    }
    if seen.method == "HEAD" {
        answer.body.clear();
    }
    answer
}
