//! The text of a `.proto` file, compiled.

use prost_reflect::{FileDescriptor, MessageDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

/// The name that the text gets as a file.
const NAME: &str = "schema.proto";
const ANY: &str = "google.protobuf.Any";

/// A compiled file.
#[derive(Clone, Debug)]
pub(super) struct Schema(FileDescriptor);

/// Resolves the text itself.
struct Text(String);

impl FileResolver for Text {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            NAME => File::from_source(NAME, &self.0),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

impl Schema {
    /// Compiles a file that imports nothing but Google's well-known types.
    pub(super) fn compile(text: &str, max_bytes: usize) -> Result<Schema, String> {
        let len = text.len();
        if len > max_bytes {
            return Err(format!("schema of {len} bytes, {max_bytes} bytes are allowed"));
        }
        let mut files = ChainFileResolver::new();
        files.add(Text(text.to_owned()));
        files.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(files);
        compiler.include_imports(true);
        compiler.open_file(NAME).map_err(|e| format!("schema does not compile: {e}"))?;
        let pool = compiler.descriptor_pool();
        if pool.get_message_by_name(ANY).is_some() {
            return Err(format!("{ANY} is not supported"));
        }
        let file = pool.get_file_by_name(NAME).ok_or("schema does not compile")?;
        Ok(Schema(file))
    }

    /// The message of this full name.
    pub(super) fn message(&self, name: &str) -> Result<MessageDescriptor, String> {
        let found = self.0.parent_pool().get_message_by_name(name);
        found.ok_or_else(|| {
            let known: Vec<_> = self.0.messages().map(|m| m.full_name().to_owned()).collect();
            format!("no message {name:?} in the schema; there are: {}", known.join(", "))
        })
    }

    /// The message at this path: its index in the file, then in the message around it, and so on.
    #[cfg(feature = "registry")]
    pub(super) fn message_at(&self, indexes: &[usize]) -> Option<MessageDescriptor> {
        let (first, rest) = indexes.split_first()?;
        let outermost = self.0.messages().nth(*first)?;
        rest.iter().try_fold(outermost, |message, index| inner_messages(&message).nth(*index))
    }

    /// The path to a message of this schema.
    #[cfg(feature = "registry")]
    pub(super) fn path_to(&self, message: &MessageDescriptor) -> Vec<usize> {
        let mut path = Vec::new();
        let mut inner = message.clone();
        while let Some(outer) = inner.parent_message() {
            path.push(inner_messages(&outer).position(|m| m == inner).unwrap_or_default());
            inner = outer;
        }
        path.push(self.0.messages().position(|m| m == inner).unwrap_or_default());
        path.reverse();
        path
    }
}

/// The messages written within another. The entries of its maps are messages, too, but only to the
/// compiler: indexes do not count them.
#[cfg(feature = "registry")]
fn inner_messages(message: &MessageDescriptor) -> impl Iterator<Item = MessageDescriptor> {
    message.child_messages().filter(|inner| !inner.is_map_entry())
}
