//! The client and what it answers with.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use h2::client::SendRequest;
use prost::Message;
use tokio::{net::UnixStream, runtime::Runtime, time::timeout};

use crate::{
    error::{Code, Error},
    grpc::{self, Failure},
    wire,
};

const VERSION: &str = "/runtime.v1.RuntimeService/Version";
const IMAGE_STATUS: &str = "/runtime.v1.ImageService/ImageStatus";
const LIST_IMAGES: &str = "/runtime.v1.ImageService/ListImages";

/// A connection to one node's container runtime. Every call blocks, at most for the client's deadline.
#[derive(Debug)]
pub struct Client {
    endpoint: PathBuf,
    limit: Duration,
    runtime: Runtime,
    sender: SendRequest<Bytes>,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Such as `containerd` or `cri-o`.
    pub runtime_name: String,
    /// The runtime's own version, in its own form.
    pub runtime_version: String,
    /// The version of CRI it speaks, such as `v1`.
    pub runtime_api_version: String,
}

/// An image as the runtime knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of the image's configuration: `sha256:…` from containerd, bare hex from CRI-O.
    pub id: String,
    /// Its names with a tag, normalised (`docker.io/library/app:1`).
    pub repo_tags: Vec<String>,
    /// Its names with a manifest digest (`docker.io/library/app@sha256:…`).
    pub repo_digests: Vec<String>,
    /// Bytes, as the runtime counts them: not comparable between runtimes, some count unpacked layers.
    pub size: u64,
    /// Kubelet's garbage collection leaves it alone.
    pub pinned: bool,
}

/// An image and what else the runtime tells about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageStatus {
    /// The image.
    pub image: Image,
    /// Free-form, by runtime; containerd and CRI-O put JSON with the image's configuration under `info`.
    pub info: BTreeMap<String, String>,
}

impl Client {
    /// Connects to the socket `endpoint` (a path, or `unix://` and a path) and asks who is there, so that
    /// a client in hand is one that was answered. `limit` is the deadline of this and of each later call.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`], [`Error::Timeout`], [`Error::NotCri`] or [`Error::Unimplemented`].
    pub fn connect(endpoint: &Path, limit: Duration) -> Result<Self, Error> {
        let endpoint = without_scheme(endpoint);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| Error::Unreachable { endpoint: endpoint.clone(), why })?;
        let greeting = async {
            let sender = open(&endpoint).await?;
            let question = wire::VersionRequest::ours();
            let _: wire::VersionResponse = grpc::unary(sender.clone(), VERSION, &question, limit).await?;
            Ok(sender)
        };
        let sender = match runtime.block_on(async { timeout(limit, greeting).await }) {
            Ok(Ok(sender)) => sender,
            Ok(Err(failure)) => return Err(explain(&endpoint, VERSION, limit, failure)),
            Err(_) => return Err(Error::Timeout { endpoint, call: name(VERSION), after: limit }),
        };
        Ok(Self { endpoint, limit, runtime, sender })
    }

    /// The runtime's name and versions.
    ///
    /// # Errors
    ///
    /// Any of [`Error`].
    pub fn version(&mut self) -> Result<Version, Error> {
        let answer: wire::VersionResponse = self.call(VERSION, &wire::VersionRequest::ours())?;
        Ok(Version {
            runtime_name: answer.runtime_name,
            runtime_version: answer.runtime_version,
            runtime_api_version: answer.runtime_api_version,
        })
    }

    /// What the node holds under `image`, a reference or an id; `None` when it holds no such image.
    ///
    /// # Errors
    ///
    /// Any of [`Error`]. A malformed reference need not be one: for containerd 1.6 it is an absent image.
    pub fn image_status(&mut self, image: &str) -> Result<Option<ImageStatus>, Error> {
        let spec = wire::ImageSpec { image: image.to_owned(), ..Default::default() };
        let question = wire::ImageStatusRequest { image: Some(spec), verbose: true };
        match self.call::<_, wire::ImageStatusResponse>(IMAGE_STATUS, &question) {
            Ok(answer) => {
                Ok(answer.image.map(|image| ImageStatus { image: image.into(), info: answer.info }))
            }
            // CRI wants an empty answer here; a runtime that says it with a status means the same.
            Err(Error::Status { code: Code::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All images on the node, in the runtime's order.
    ///
    /// # Errors
    ///
    /// Any of [`Error`].
    pub fn list_images(&mut self) -> Result<Vec<Image>, Error> {
        let answer: wire::ListImagesResponse = self.call(LIST_IMAGES, &wire::ListImagesRequest {})?;
        Ok(answer.images.into_iter().map(Image::from).collect())
    }

    pub(crate) fn call<Q: Message, A: Message + Default>(
        &mut self,
        path: &'static str,
        question: &Q,
    ) -> Result<A, Error> {
        let call = grpc::unary(self.sender.clone(), path, question, self.limit);
        let limit = self.limit;
        match self.runtime.block_on(async { timeout(limit, call).await }) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err(explain(&self.endpoint, path, limit, failure)),
            Err(_) => Err(Error::Timeout { endpoint: self.endpoint.clone(), call: name(path), after: limit }),
        }
    }
}

impl From<wire::Image> for Image {
    fn from(image: wire::Image) -> Self {
        let wire::Image { id, repo_tags, repo_digests, size, pinned } = image;
        Self { id, repo_tags, repo_digests, size, pinned }
    }
}

async fn open(endpoint: &Path) -> Result<SendRequest<Bytes>, Failure> {
    let socket = UnixStream::connect(endpoint).await.map_err(Failure::Gone)?;
    let (sender, connection) = h2::client::handshake(socket).await.map_err(grpc::classify)?;
    // Moves frames while a call waits. Its error is also given to that call.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

fn explain(endpoint: &Path, path: &'static str, after: Duration, failure: Failure) -> Error {
    let (endpoint, call) = (endpoint.to_owned(), name(path));
    match failure {
        Failure::Gone(why) => Error::Unreachable { endpoint, why },
        Failure::Foreign(why) => Error::NotCri { endpoint, why },
        // The server was told the deadline, so it may be the first to notice.
        Failure::Status(Code::DEADLINE_EXCEEDED, _) => Error::Timeout { endpoint, call, after },
        Failure::Status(Code::UNIMPLEMENTED, message) => Error::Unimplemented { endpoint, call, message },
        Failure::Status(code, message) => Error::Status { endpoint, call, code, message },
    }
}

/// `service/Method`, as people write it.
fn name(path: &'static str) -> &'static str {
    path.trim_start_matches('/')
}

/// crictl's configuration writes endpoints as URLs.
fn without_scheme(endpoint: &Path) -> PathBuf {
    match endpoint.to_str().and_then(|text| text.strip_prefix("unix://")) {
        Some(path) => PathBuf::from(path),
        None => endpoint.to_owned(),
    }
}
