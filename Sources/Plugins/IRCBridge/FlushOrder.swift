import NIOCore

/// What is done once the loop has handled what woke it, in this order: somebody waits for a line on IRC, and next for
/// one in the chat.
enum FlushOrder: Int {
    case toNetworks = 1, toHost, confirmations
}

extension NIOIsolatedEventLoop {
    /// Does something in its turn, before the loop looks at its sockets again.
    func execute(_ turn: FlushOrder, _ body: @escaping () -> Void) { execute(turn.rawValue, body) }

    private func execute(_ turnsLeft: Int, _ body: @escaping () -> Void) {
        // What is put from a turn comes behind all that was put before.
        execute { if turnsLeft == 1 { body() } else { self.execute(turnsLeft - 1, body) } }
    }
}
