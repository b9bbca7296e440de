//! A gradient that another process computes, asked for over a pipe.
//!
//! ```text
//! request   u8 pass (0 clean, 1 perturbed), u64 n, n parameters
//! answer    u8 0, loss, n gradients          or          u8 1, u64 bytes, what went wrong in UTF-8
//! ```
//!
//! Numbers are little-endian; parameters, loss and gradients `f64`. So the values arrive bit for bit, and a step is
//! the one that the same oracle takes in this process.

mod patience;

use std::io::{self, BufWriter, Read, Write};
use std::process::Child;
use std::time::Duration;
use std::{error, fmt};

use sam_core::{GradientOracle, Pass};

pub use patience::{PatientReader, PatientWriter};

/// The longest message that is read from the other side, in bytes.
const LONGEST_MESSAGE: u64 = 4096;

/// An oracle at the other end of a connection.
#[derive(Debug)]
pub struct RemoteOracle<R, W> {
    reader: R,
    writer: W,
    /// An answer was cut short: what comes next belongs to nobody knows what.
    broken: bool,
}

/// Why there is no gradient.
#[derive(Debug)]
pub enum RemoteError {
    /// The connection failed.
    Connection(io::Error),
    /// The other side could not compute the gradient, and says why.
    Oracle(String),
    /// The other side does not speak the protocol.
    Answer(u8),
    /// An earlier call failed in the midst of an answer.
    Broken,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => {
                write!(f, "connection to the oracle: {error}; start it and connect anew")
            }
            Self::Oracle(message) => write!(f, "the oracle says: {message}"),
            Self::Answer(found) => write!(f, "expected an answer beginning with 0 or 1, found {found}"),
            Self::Broken => f.write_str("an earlier answer was cut short: start the oracle and connect anew"),
        }
    }
}

impl error::Error for RemoteError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        if let Self::Connection(error) = self { Some(error) } else { None }
    }
}

impl From<io::Error> for RemoteError {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

impl RemoteOracle<PatientReader, BufWriter<PatientWriter>> {
    /// Talks to a child process over its standard input and output; `None` if they are not pipes, or taken already.
    /// The child sees its input end when the oracle is dropped. A child that is silent for longer than `patience`, which is
    /// longer than a gradient takes, or that reads nothing for so long, is an error of the connection.
    pub fn of_child(child: &mut Child, patience: Duration) -> Option<Self> {
        let reader = PatientReader::new(child.stdout.take()?, patience);
        Some(Self::new(reader, BufWriter::new(PatientWriter::new(child.stdin.take()?, patience))))
    }
}

impl<R: Read, W: Write> RemoteOracle<R, W> {
    /// Over any connection, which is waited for as long as it takes: [`PatientReader`] and [`PatientWriter`] wait less.
    pub const fn new(reader: R, writer: W) -> Self {
        Self { reader, writer, broken: false }
    }

    fn ask(&mut self, params: &[f64], grads: &mut [f64], pass: Pass) -> Result<f64, RemoteError> {
        self.writer.write_all(&[u8::from(pass == Pass::Perturbed)])?;
        self.writer.write_all(&(params.len() as u64).to_le_bytes())?;
        write_numbers(&mut self.writer, params)?;
        self.writer.flush()?;
        match read_array(&mut self.reader)? {
            [0] => {
                let loss = f64::from_le_bytes(read_array(&mut self.reader)?);
                read_numbers(&mut self.reader, grads)?;
                Ok(loss)
            }
            [1] => {
                let bytes = u64::from_le_bytes(read_array(&mut self.reader)?);
                let mut message = vec![0; bytes.min(LONGEST_MESSAGE) as usize];
                self.reader.read_exact(&mut message)?;
                self.broken = bytes > LONGEST_MESSAGE;
                Err(RemoteError::Oracle(String::from_utf8_lossy(&message).into_owned()))
            }
            [other] => Err(RemoteError::Answer(other)),
        }
    }
}

impl<R: Read, W: Write> GradientOracle<[f64]> for RemoteOracle<R, W> {
    type Loss = f64;
    type Error = RemoteError;

    fn gradient(&mut self, params: &[f64], grads: &mut [f64], pass: Pass) -> Result<f64, RemoteError> {
        if self.broken {
            return Err(RemoteError::Broken);
        }
        let result = self.ask(params, grads, pass);
        self.broken |= matches!(result, Err(RemoteError::Connection(_) | RemoteError::Answer(_)));
        result
    }
}

/// Answers requests for gradients at `parameters` parameters until the input ends.
///
/// # Errors
/// When the connection fails, or the other side does not speak the protocol; a failing oracle is told to it instead.
pub fn serve<O>(parameters: usize, mut oracle: O, mut from: impl Read, mut to: impl Write) -> io::Result<()>
where
    O: GradientOracle<[f64], Loss = f64>,
    O::Error: fmt::Display,
{
    let (mut w, mut g) = (vec![0.0; parameters], vec![0.0; parameters]);
    while let Some(first) = first_byte(&mut from)? {
        let pass = match first {
            0 => Pass::Clean,
            1 => Pass::Perturbed,
            found => {
                return refuse(&mut to, format!("expected a request beginning with 0 or 1, found {found}"));
            }
        };
        let found = u64::from_le_bytes(read_array(&mut from)?);
        if found != parameters as u64 {
            return refuse(&mut to, format!("expected {parameters} parameters, found {found}"));
        }
        read_numbers(&mut from, &mut w)?;
        match oracle.gradient(&w, &mut g, pass) {
            Ok(loss) => {
                to.write_all(&[0])?;
                write_numbers(&mut to, &[loss])?;
                write_numbers(&mut to, &g)?;
                to.flush()?;
            }
            Err(error) => write_message(&mut to, &error.to_string())?,
        }
    }
    Ok(())
}

/// The next byte, or `None` where the input has ended.
fn first_byte(from: &mut impl Read) -> io::Result<Option<u8>> {
    let mut first = [0];
    match from.read_exact(&mut first) {
        Ok(()) => Ok(Some(first[0])),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells the other side, and gives up: what comes next belongs to nobody knows what.
fn refuse(to: &mut impl Write, message: String) -> io::Result<()> {
    write_message(to, &message)?;
    Err(io::Error::new(io::ErrorKind::InvalidData, message))
}

fn write_message(to: &mut impl Write, message: &str) -> io::Result<()> {
    to.write_all(&[1])?;
    to.write_all(&(message.len() as u64).to_le_bytes())?;
    to.write_all(message.as_bytes())?;
    to.flush()
}

fn write_numbers(to: &mut impl Write, numbers: &[f64]) -> io::Result<()> {
    numbers.iter().try_for_each(|number| to.write_all(&number.to_le_bytes()))
}

fn read_numbers(from: &mut impl Read, numbers: &mut [f64]) -> io::Result<()> {
    for number in numbers {
        *number = f64::from_le_bytes(read_array(from)?);
    }
    Ok(())
}

fn read_array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
