//! The closed set of things an instance can do. Kinds lower to these; only `exec` carries them out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bases::PinBases;
use super::build::{CheckFrontend, HandSecrets};
use super::builder::{MoveImage, NativeBy};
use super::checkout::Checkout;
use super::cri::{CriPod, CriRun, CriVerify};
use super::index::{CheckIndex, JoinIndex};
use super::received::{Receive, Yield};
use super::text::{Grammar, Text};
use crate::audit::Rules;
use crate::image::ArchiveFormat;
use crate::platform::Platform;

/// One thing to do. An action yields at most one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Run a tool, here or on a node.
    Command(Command),
    /// Copy a file to a node, and go on with what is there of it.
    CopyFile(Box<CopyFile>),
    /// Bring a commit into a folder; yields its id.
    Checkout(Box<Checkout>),
    /// Write a small file, atomically.
    WriteFile(WriteFile),
    /// Change the base image in a Dockerfile, in place and byte for byte elsewhere.
    RewriteFrom(RewriteFrom),
    /// See to it that this machine executes programs of other architectures.
    EnsureBinfmt(EnsureBinfmt),
    /// See to it that every base image of a Dockerfile is to be had for a platform, and is the one that the lock names.
    PinBases(Box<PinBases>),
    /// See to it that a Dockerfile is interpreted by nobody but who may.
    CheckFrontend(CheckFrontend),
    /// Hold secrets ready for the build engine.
    HandSecrets(HandSecrets),
    /// Bring an image from a builder's store into the engine's here, or the other way.
    MoveImage(MoveImage),
    /// Read an image's config digest from the engine's store; yields the digest.
    ImageId(ImageId),
    /// Check an exported archive and write it under its final name; yields the file's sha256 digest.
    SealArchive(SealArchive),
    /// Images of several platforms become one index.
    JoinIndex(JoinIndex),
    /// An index has each platform's image.
    CheckIndex(Box<CheckIndex>),
    /// Read a digest of an archive that somebody else made; yields it.
    ArchiveDigest(ArchiveDigest),
    /// Look into an image: whether its programs are for the platform, and what must not be in it.
    Audit(AuditImage),
    /// See to it that an archive has signed provenance beside it.
    CheckProvenance(CheckProvenance),
    /// Compare a value that an earlier action yielded with what it should be.
    Check(Check),
    /// Ask a node's CRI runtime for an image and compare it with what was built.
    CriVerify(CriVerify),
    /// Run an image on a node and see how that ends. The pod is left for [`Action::EndCriRun`].
    CriRun(CriRun),
    /// Remove the pod of [`Action::CriRun`], and all that earlier runs left of it.
    EndCriRun(CriPod),
    /// Send what a node lacks of an image, and import it there; yields the bytes that were sent.
    ShipMissing(ShipMissing),
    /// Remove what a shipment left on its node.
    EndShipment(Shipment),
    /// Give a reference on a node back to the image that had it before.
    Rollback(Rollback),
    /// Put what came from another machine in its place.
    Receive(Receive),
    /// Yield a value that is known from another machine.
    Yield(Yield),
}

/// A tool and its arguments. No shell reads them, here or on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The tool, found on PATH, and its arguments. At least the tool.
    pub argv: Vec<Text>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Place::is_here")]
    pub place: Place,
    /// Working directory; the recipe's folder when absent. Not for commands on a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<Text>,
    /// Environment variables besides those that every step gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Text>,
    /// Exit codes that mean success.
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub ok: Cow<'static, [i32]>,
    /// The exit code that says: something is other than it must be, such as a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<i32>,
    /// Keep what it prints on stdout, less trailing newlines, as an output of the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
}

/// The name and shape of a value that an action yields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The output's name.
    pub output: String,
    /// What it must look like.
    pub grammar: Grammar,
    /// Run the command once more when nothing came: for a tool that now and then loses what its child printed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// Where a command runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On this machine.
    #[default]
    Here,
    /// On the node of that name in the plan: over ssh, or here when the node has no host.
    Node(String),
    /// On this machine, as a client of the engine on the builder of that platform; of the engine here where the builder does
    /// not answer and the recipe allows that.
    Builder(String),
}

impl Place {
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_here(&self) -> bool {
        *self == Self::Here
    }
}

fn zero() -> Cow<'static, [i32]> {
    Cow::Borrowed(&[0])
}

fn is_zero(codes: &[i32]) -> bool {
    codes == [0]
}

impl Command {
    /// `argv` on this machine, in the recipe's folder; only exit code 0 is success.
    pub fn new<T: Into<Text>>(argv: impl IntoIterator<Item = T>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            place: Place::Here,
            dir: None,
            env: BTreeMap::new(),
            ok: zero(),
            mismatch: None,
            capture: None,
        }
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<Text>) -> Self {
        self.argv.push(arg.into());
        self
    }

    /// Appends arguments.
    #[must_use]
    pub fn args<T: Into<Text>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<Text>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Runs on the node of that name.
    #[must_use]
    pub fn on_node(mut self, node: &str) -> Self {
        self.place = Place::Node(node.into());
        self
    }

    /// Asks the engine on that platform's builder, where there is one.
    #[must_use]
    pub fn with_builder(mut self, builder: Option<&str>) -> Self {
        if let Some(builder) = builder {
            self.place = Place::Builder(builder.into());
        }
        self
    }

    /// Keeps stdout as the instance's output of that name.
    #[must_use]
    pub fn capture(mut self, output: &str, grammar: Grammar) -> Self {
        self.capture = Some(Capture { output: output.into(), grammar, again: false });
        self
    }
}

impl From<Command> for Action {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

/// A file on its way to a node. A part of it that is there is continued; one that leads to something else is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyFile {
    /// The file here.
    pub from: Text,
    /// Where it is on the node until it is whole: the name holds its digest.
    pub part: Text,
    /// Makes the part's folder, without what else is there, and prints how many bytes of the part there are.
    pub enter: Command,
    /// Copies the whole file.
    pub whole: Command,
    /// `sftp`, which reads that the rest is to be copied.
    pub rest: Command,
    /// Compares the part with the digest and gives it its final name.
    pub land: Command,
    /// Removes the part's folder, where no other run could go on.
    pub discard: Command,
}

/// A file and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteFile {
    /// Where; its folder exists.
    pub path: Text,
    /// The whole content.
    pub contents: Text,
}

/// Which `FROM` of a Dockerfile becomes what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteFrom {
    /// The Dockerfile. A symbolic link is refused.
    pub dockerfile: Text,
    /// What to change.
    pub rules: FromRules,
}

/// See [`RewriteFrom`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromRules {
    /// The one external base image becomes this.
    From(Text),
    /// Every external base image becomes this.
    All(Text),
    /// The base of one stage becomes this.
    Stage {
        /// The stage's name (`FROM … AS name`), or its number counted from 0.
        stage: String,
        /// The new base.
        from: Text,
    },
    /// Images by the text that stands in the Dockerfile.
    Replace(BTreeMap<String, Text>),
}

/// Desired state of binfmt_misc on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnsureBinfmt {
    /// What must execute. The machine's own platform needs nothing.
    pub platforms: Vec<Platform>,
    /// What to do where one does not.
    pub register: Register,
    /// Who executes it natively elsewhere, so that nothing need be done here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<NativeBy>,
}

/// How missing emulators are registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Register {
    /// Not at all: a missing one is an error.
    Never,
    /// From the installed `qemu-user-static`.
    Host,
    /// By a privileged container, run only when one is missing.
    Container(Command),
}

/// Where to read an image's config digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageId {
    /// Whose store holds the image.
    pub engine: Engine,
    /// What the engine calls the image's id.
    pub handle: Text,
    /// The engine's command that prints the image's configuration as JSON; the handle is appended.
    pub inspect: Command,
    /// The platform the image must be of.
    pub platform: Platform,
    /// The output that takes the digest.
    pub output: String,
}

/// A digest of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveDigest {
    /// The archive.
    pub path: Text,
    /// Which digest.
    pub of: DigestOf,
    /// The platform the image in it must be of.
    pub platform: Platform,
    /// The output that takes the digest.
    pub output: String,
}

/// See [`ArchiveDigest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DigestOf {
    /// Of the file.
    File,
    /// Of the image's configuration: the image id.
    Config,
}

/// A tool that builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// `docker build` against dockerd, by BuildKit or the classic builder, as the client decides.
    Docker,
    /// `docker buildx build`.
    Buildx,
    /// `podman build`.
    Podman,
    /// `buildah build` in the recipe's own store; needs no daemon.
    Buildah,
}

impl Engine {
    /// In the order in which `auto` tries them.
    pub const ALL: [Self; 4] = [Self::Docker, Self::Buildx, Self::Podman, Self::Buildah];

    /// The program.
    pub fn tool(self) -> &'static str {
        if self == Self::Buildx { "docker" } else { self.name() }
    }

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Buildx => "buildx",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }
}

/// An exported docker-archive, to be checked and landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealArchive {
    /// What the engine exported.
    pub from: Text,
    /// The final name.
    pub to: Text,
    /// The format under the final name.
    pub format: ArchiveFormat,
    /// The full image reference that the archive carries.
    pub reference: String,
    /// More names for it, where the format has room for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The annotations of its manifest, where the format has one: a JSON object of strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Text>,
    /// The config digest that was built.
    pub id: Text,
    /// The platform the config must name.
    pub platform: Platform,
    /// The output that takes the file's sha256 digest.
    pub output: String,
}

/// A value and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What is checked, for messages, such as: the output of `uname -m`.
    pub what: String,
    /// The value.
    pub value: Text,
    /// What it must be.
    pub expect: Expect,
}

/// See [`Check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Exactly this text.
    Text(Text),
    /// A match of this regular expression somewhere in it.
    Regex(String),
    /// An image manifest (JSON) whose config digest is this.
    ManifestConfig(Text),
}

/// An image on its way to a node's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipMissing {
    /// Where to, and under which name it is on its way.
    pub shipment: Shipment,
    /// Where the image lies here.
    pub from: ShipFrom,
    /// The full reference that it gets there.
    pub reference: String,
    /// The config digest that was built.
    pub id: Text,
    /// The platform the config must name.
    pub platform: Platform,
    /// How many images that had the reference before keep a name.
    pub keep: u8,
    /// The output that takes the number of bytes sent.
    pub output: String,
}

/// A folder on a node while an image is on its way there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// The node, by its name in the plan.
    pub node: String,
    /// What tells it from others of the same workspace, such as `registry-deliver@arm64@edge-1`.
    pub name: String,
}

/// See [`Action::Rollback`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The node, and the shipment that put the image there.
    pub shipment: Shipment,
    /// The full reference.
    pub reference: String,
}

/// An image to be looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditImage {
    /// Where it lies here.
    pub from: ShipFrom,
    /// Its config digest.
    pub id: Text,
    /// The digest of the archive, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Text>,
    /// The platform that it must be of; its own label when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What it may and may not hold.
    #[serde(default)]
    pub rules: Rules,
    /// The file that gets the report, as JSON.
    pub report: Text,
}

/// An archive from elsewhere, and who must have signed what is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckProvenance {
    /// The archive; the envelope lies beside it.
    pub archive: Text,
    /// The file with the public key.
    pub key: String,
    /// What others take from here on: the digests of the image and, where they take the file, of that. Each must be
    /// vouched for.
    pub digests: Vec<Text>,
}

/// Where an image lies on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShipFrom {
    /// An archive or layout.
    Archive(Text),
    /// A build engine's store.
    Engine {
        /// Which engine.
        engine: Engine,
        /// What the engine calls the image.
        handle: Text,
        /// The engine's command that prints an image's configuration as JSON; the handle is appended.
        inspect: Box<Command>,
        /// The root of its containers-storage, where it is the recipe's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<Text>,
    },
}
