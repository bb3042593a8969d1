import PluginHost

/// A line typed at `crowbar plugins try`: what somebody in the chat, or the host, does.
public enum TypedLine: Sendable, Equatable {
    /// A message to the current channel.
    case message(String)
    /// Joins a channel, makes it where there is none, and goes on there.
    case join(String)
    /// Leaves the current channel.
    case leave
    /// Replaces the text of the last message.
    case edit(String)
    /// Deletes the last message.
    case delete
    /// Sets the current channel's topic.
    case topic(String)
    /// Goes on as another user, who is registered where there is none.
    case user(String)
    /// A line for the plugin, written by hand.
    case raw(String)
    /// The plugin is sent its configuration once more.
    case config
    /// The plugin is asked something.
    case ask(String)
    /// The plugin is killed, and started again.
    case kill
    /// The plugin is asked to end, and started again.
    case restart
    /// Nothing; starts a plugin that has ended.
    case empty
    case help
    case quit
    /// What was typed is no command, for this reason.
    case wrong(String)

    /// The commands, for people.
    public static let commands = [
        "TEXT             a message to the current channel",
        "/join CHANNEL    go to a channel; it is made if it is not there",
        "/leave           leave the current channel",
        "/edit TEXT       replace the last message",
        "/delete          delete the last message",
        "/topic TEXT      set the topic",
        "/user NAME       go on as another user",
        "!{JSON}          write this line to the plugin",
        "/config          send the configuration once more",
        "/ask WORD        ask the plugin; WORD is one of its 'asks'",
        "/kill            kill the plugin and start it again",
        "/restart         ask the plugin to end and start it again",
        "/quit            end; so does the end of the input",
        "//TEXT           a message that begins with a slash",
    ]

    /// Reads a line, without its line break.
    public init(_ text: String) {
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        let rest = words.count > 1 ? words[1] : ""
        func with(_ what: String, _ make: (String) -> TypedLine) -> TypedLine {
            rest.isEmpty ? .wrong("say which \(what): \(words[0]) \(what.uppercased())") : make(rest)
        }
        switch words.first {
        case nil: self = .empty
        case "/join": self = with("channel") { .join($0) }
        case "/leave", "/part": self = .leave
        case "/edit": self = with("text") { .edit($0) }
        case "/delete": self = .delete
        case "/topic": self = .topic(rest)
        case "/user": self = with("name") { .user($0) }
        case "/config", "/reload": self = .config
        case "/ask": self = with("word") { .ask($0) }
        case "/kill": self = .kill
        case "/restart": self = .restart
        case "/help": self = .help
        case "/quit": self = .quit
        case _ where text.hasPrefix("//"): self = .message(String(text.dropFirst()))
        case let word? where word.hasPrefix("/"): self = .wrong("there is no command '\(word)'; /help lists them")
        // A message such as '!help' is nothing for the plugin's pipe.
        case _ where text.hasPrefix("!{"): self = .raw(String(text.dropFirst()))
        default: self = .message(text)
        }
    }
}
