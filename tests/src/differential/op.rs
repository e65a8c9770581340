//! An operation to execute, in few words.

use picket_proto::exec::ExecRequest;
use picket_proto::request::CallOptions;

/// What `lrmd_rsc_exec` will say.
#[derive(Clone, Debug)]
pub struct Op {
    rsc: String,
    action: String,
    user_data: Option<String>,
    interval: u64,
    timeout: u64,
    delay: u64,
    options: CallOptions,
    params: Vec<(String, String)>,
}

/// `action` of the resource `rsc`, once, within 20 s, with a controller's call options.
pub fn op(rsc: &str, action: &str) -> Op {
    Op {
        rsc: rsc.into(),
        action: action.into(),
        user_data: Some(format!("key of {action}")),
        interval: 0,
        timeout: 20_000,
        delay: 0,
        options: CallOptions::CHANGES_ONLY,
        params: vec![("crm_feature_set".into(), "3.16.2".into())],
    }
}

impl Op {
    /// Again and again, with a pause of so many ms.
    pub fn every(mut self, interval: u64) -> Self {
        self.interval = interval;
        self
    }

    /// With a limit in ms; 0 is none.
    pub fn within(mut self, timeout: u64) -> Self {
        self.timeout = timeout;
        self
    }

    /// With a start delay in ms.
    pub fn after(mut self, delay: u64) -> Self {
        self.delay = delay;
        self
    }

    /// With a parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }

    /// The agent `Script` executes this shell text first.
    pub fn doing(self, script: &str) -> Self {
        self.with("do", script)
    }

    /// With other user data.
    pub fn known_as(mut self, user_data: Option<&str>) -> Self {
        self.user_data = user_data.map(str::to_owned);
        self
    }

    /// With these call options.
    pub fn options(mut self, bits: i64) -> Self {
        self.options = CallOptions(bits);
        self
    }

    pub(crate) fn call_options(&self) -> CallOptions {
        self.options
    }

    pub(crate) fn request(&self) -> ExecRequest {
        ExecRequest {
            rsc_id: self.rsc.clone(),
            action: self.action.clone(),
            user_data: self.user_data.clone(),
            interval: self.interval,
            timeout: self.timeout,
            start_delay: self.delay,
            params: self.params.iter().cloned().collect(),
        }
    }
}
