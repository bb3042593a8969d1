/// What every connection's machine can ask of its socket. Each machine has an action enum with these cases and its own.
protocol ConnectionAction: Equatable, Sendable {
    /// Open a connection, in place of one that is being opened.
    static var connect: Self { get }
    /// Close the connection once the lines before it are written.
    static var close: Self { get }
    /// Write a line; the shell appends CR LF.
    static func send(_ line: String) -> Self
    /// Derive a key outside the event loop, for ``ConnectionMachine/derived(_:now:)``.
    static func derive(_ derivation: ScramExchange.Derivation) -> Self

    /// The action where the socket performs it; nil for what the machine's owner performs.
    var transport: TransportAction? { get }
}

/// An action that the socket performs.
enum TransportAction: Equatable, Sendable {
    case connect
    case close
    case send(String)
    case derive(ScramExchange.Derivation)
}
