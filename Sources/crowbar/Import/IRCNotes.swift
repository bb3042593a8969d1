/// What is said of the settings of an IRC account that become no key of the bridge.
enum IRCNotes {
    typealias Mark = ImportReport.Mark

    /// What is said where a setting is off (false, empty, 0), and where it is on.
    private struct Note {
        var off: Mark = .taken("nothing to write")
        var on: Mark
    }

    /// The mark of a setting.
    static func mark(_ setting: MatterbridgeFile.Setting) -> Mark {
        if setting.key == "charset", ["utf-8", "utf8"].contains(setting.text?.lowercased()) {
            return .taken("the bridge writes UTF-8")
        }
        guard let note = notes[setting.key] else {
            return setting.isOff ? .taken("nothing to write") : .none("the IRC bridge has nothing like it")
        }
        return setting.isOff ? note.off : note.on
    }

    /// Whether a key is matterbridge's and holds no secret.
    static func isKnown(_ key: String) -> Bool { notes[key] != nil }

    private static let topics =
        "topics are carried over both ways; take SET_TOPIC out of `commands` to keep IRC's topics out of the chat"
    private static let joins = "who joins and leaves is not said on IRC"

    private static let notes: [String: Note] = [
        "charset": Note(on: .none("the bridge writes UTF-8")),
        "messagequeue": Note(on: .none("nothing is dropped: what waits stays in the log")),
        "messagelength": Note(on: .none("a line is as long as the server allows")),
        "messageclipped": Note(on: .none("nothing is clipped")),
        "messagesplit": Note(
            off: .changed("long messages are split, not clipped; `max_lines` limits the lines"),
            on: .taken("long messages are split; `max_lines` limits the lines")),
        "rejoindelay": Note(on: .none("the bridge joins again by itself")),
        "pingdelay": Note(on: .none("the bridge asks an idle server after 60 s")),
        "joindelay": Note(on: .none("`flood` limits joins too")),
        "stripmarkdown": Note(
            off: .changed("Markdown becomes IRC's formatting"), on: .none("Markdown becomes IRC's formatting")),
        "ignoremessages": Note(on: .none("a plugin that checks commands can refuse messages (docs/protocol.md)")),
        "replacemessages": Note(on: .none("messages are not rewritten")),
        "replacenicks": Note(on: .none("names are not rewritten")),
        "extractnicks": Note(on: .none("names are not read from other bots' messages")),
        "label": Note(on: .none("`format` has no label")),
        "showjoinpart": Note(on: .none(joins)),
        "verbosejoinpart": Note(on: .none(joins)),
        "nosendjoinpart": Note(off: .changed(joins), on: .taken(joins)),
        "stripnick": Note(on: .none("names lose what could mislead, and no more (docs/irc.md, \"What is escaped\")")),
        "showtopicchange": Note(off: .changed(topics), on: .changed(topics)),
        "synctopic": Note(off: .changed(topics), on: .taken(topics)),
        "userelaymsg": Note(on: .none("`mode = \"puppets\"` gives each user a connection of their own")),
        "editdisable": Note(on: .none("edits are said as `s/old/new/` or marked `(edit)`")),
        "editsuffix": Note(on: .none("edits are said as `s/old/new/` or marked `(edit)`")),
        "debug": Note(on: .none("the server's log has levels for each plugin: `[log] plugins`")),
        "debuglevel": Note(on: .none("the server's log has levels for each plugin: `[log] plugins`")),
    ]
}
