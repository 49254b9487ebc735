//! The types of JSON objects that the command prints: a closed list, which is the manual of `-o json` too.

macro_rules! documents {
    ($($variant:ident => $name:literal, $doc:literal;)*) => {
        /// The type of a JSON object, its field `type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Document { $(#[doc = $doc] $variant,)* }

        impl Document {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value of the field `type`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What such an object says.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

documents! {
    Apply => "apply", "The end of `apply`: whether anything changed, what became of each host, where the kubeconfig is.";
    Bundle => "bundle", "The end of `bundle build`: the bundle's folder and its manifest.";
    BundleContent => "bundle.content", "`bundle inspect`: the manifest, and the size of each item.";
    BundleEvent => "bundle.event", "A part of a bundle begins, prints a line, or is there.";
    BundleVerified => "bundle.verified", "The end of `bundle verify` of a whole bundle: what was read.";
    Check => "check", "`check`: the site that the file describes.";
    Code => "code", "`explain CODE`: what the code means.";
    Codes => "codes", "`explain`: all codes.";
    Credentials => "credentials", "The end of `credentials recover`: where the secrets file is.";
    Demo => "demo", "The end of `demo`: the lab, the kubeconfig, and the command line that uses it.";
    Diagnostics => "diagnostics", "What somebody should know about the site file or the hosts.";
    Error => "error", "The last object of a command that did not do what was asked: kind, exit code, code, cause, evidence, next.";
    Facts => "facts", "`check --probe`: what the hosts are, in the form of a facts file.";
    Init => "init", "The end of `init`: the file and the site that it describes.";
    Lab => "lab", "The end of `lab up`: the lab, its hosts, its files.";
    LabConsole => "lab.console", "`lab console`: what a virtual machine has printed.";
    LabEvent => "lab.event", "What happens while a lab is made or removed.";
    LabExec => "lab.exec", "`lab exec`: the exit code and the output of the command.";
    LabHost => "lab.host", "The end of `lab stop`, `lab start`, `lab insert`, `lab eject`, `lab snapshot` and `lab restore`: the host and its state.";
    LabRemoved => "lab.removed", "The end of `lab down`: what was removed.";
    Labs => "labs", "`lab list`: the labs and the states of their hosts.";
    Log => "log", "A record of a host's journal.";
    LogRun => "log.run", "`log`: a run that the journals know: whose, when, and what came of it on each host.";
    LogStep => "log.step", "`log show`: what a step did on a host, and what the host has kept of what it printed.";
    Methods => "methods", "`methods`: the ways to install a site, and which of them are proven.";
    Plan => "plan", "`plan`: every step with its action, what is missing, the files that it would write, and who changes the site now.";
    Recover => "recover", "The end of `recover`: from which control plane's data the cluster started again, at which revision, and what was set aside.";
    RecoverPlan => "recover.plan", "What `recover` is about to do, and what each control plane knows.";
    Render => "render", "The end of `render`: the folder, its files with their modes, which of them are secret, and what of the hosts was assumed.";
    Report => "report", "The end of `verify`: all rows, their counts, the verdict.";
    Reset => "reset", "The end of `reset`: what became of each host, and the files that were removed here.";
    ResetPlan => "reset.plan", "What `reset` is about to take back.";
    Run => "run", "A run begins: its name, under which the journals know it.";
    RunEvent => "run.event", "What happens on a host during a run.";
    Seed => "seed", "The end of `bundle seed`: the archive, its digest, and what it says of itself.";
    Status => "status", "`status`: servers, who changes the site now, nodes, system pods, what hosts that left still owe, and the rows that compare them with the site.";
    Undo => "undo", "The end of `undo`: what became of each host, and what stays as it is.";
    UndoPlan => "undo.plan", "What `undo` is about to take back, and what stays, with the reasons.";
    VerifyRow => "verify.row", "A row of a verification, as soon as it is known.";
    Warning => "warning", "A warning with its code.";
}

#[cfg(test)]
mod tests {
    use super::Document;

    #[test]
    fn names_are_in_order_and_no_two_are_alike() {
        let names: Vec<&str> = Document::ALL.iter().map(|document| document.name()).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
    }
}
