// Who a line is from: a person or a server. Some servers show people without user name and host.
extension Relay {
    /// Whether a line comes from a person and not from a server.
    ///
    /// A source with a user name or a host is a person. A bare name with a dot, or that of the client's own server, is
    /// a server. Any other bare name is a person if they are known to be in a channel with the bridge, and so is the
    /// author of a PRIVMSG, which servers do not send; their notices they do.
    func isPerson(_ source: IRCSource, _ verb: String) -> Bool {
        if !source.host.isEmpty || !source.user.isEmpty { return true }
        guard IRCSource.isNick(source.nick), !connection.bouncer.isServer(source.nick) else { return false }
        return verb == "PRIVMSG" || roster.person(source.nick) != nil
    }

    /// Whether nothing of somebody is to come into the chat.
    /// - Parameter source: `nick!user@host`, or a bare nick, of whom the rest may be known.
    func isIgnored(_ source: String) -> Bool {
        guard !connection.config.ignore.isEmpty else { return false }
        var mask = source
        if !source.utf8.contains(where: { "!@".utf8.contains($0) }) {
            mask = roster.person(source)?.mask ?? source + "!@"
        }
        return connection.config.ignore.contains { $0.matches(mask) }
    }
}

extension IRCSource {
    /// Whether a name can be a nick: it begins as one, and has none of the signs that tell a server, a channel, a mask
    /// or a service of a bouncer.
    static func isNick(_ name: String) -> Bool {
        guard isName(name), let first = name.unicodeScalars.first else { return false }
        guard !("0"..."9").contains(first), first != "-" else { return false }
        return !name.utf8.contains { ".,:;!@*?#&+$%~\"'<>=()".utf8.contains($0) }
    }
}
