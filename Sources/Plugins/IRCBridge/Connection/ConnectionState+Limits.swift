// Limits and fixed texts of a connection.
extension ConnectionState {
    /// How long the server may leave lines without their echo before it is asked by a PING as well, in seconds.
    static let receiptLimit = 5.0

    /// The most channels that one JOIN asks for, where the server sets no smaller limit.
    static let mostJoins = 10

    /// Why a message is not confirmed that the server acknowledges without showing it: it dropped the message silently.
    static let showedNobody = "the server accepted the message and showed it to nobody"

    /// How far apart the loss of a channel and the way into another one may be, in seconds.
    static let moveTime = 10.0

    /// The most renamings that are followed instead of a JOIN, and channels that refusals announce, on one connection.
    static let mostRedirects = 64

    /// Why messages are written again after that.
    static let bouncerLost = "the bouncer lost its connection to the server"
}
