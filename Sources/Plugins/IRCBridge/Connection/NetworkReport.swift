import JSONBytes
import PluginWire

/// How a network is and how it has done, as the operator is shown it.
struct NetworkReport: Equatable {
    /// Nil until it begins to connect.
    var health: NetworkHealth?
    /// The nick by which the server knows the bridge, or will.
    var nick: String
    var figures: NetworkFigures
    /// Messages of the chat that wait or that the server has not confirmed yet.
    var waiting: Int
    /// Lines from and to the network, over all its connections.
    var linesIn: Int
    var linesOut: Int
    /// When the oldest of these messages came.
    var waitingSince: String?

    /// The report as a member of the status' details.
    var json: JSON {
        var members: [JSON.Member] = []
        if let health {
            members += [
                .init("state", .string(health.level.rawValue)), .init("message", .string(health.message)),
            ]
        }
        members += [
            .init("nick", .string(nick)), .init("lagMs", figures.lag.map { .int(Int64($0)) } ?? .null),
            .init("waiting", .int(Int64(waiting))),
        ]
        if let waitingSince { members.append(.init("waitingSince", .string(waitingSince))) }
        members += [
            .init("linesIn", .int(Int64(linesIn))),
            .init("linesOut", .int(Int64(linesOut))), .init("netsplits", .int(Int64(figures.netsplits))),
            .init("reconnects", .int(Int64(figures.reconnects))),
        ]
        return .object(members)
    }
}
