import CrowbarTesting

/// Random commands of three users in three channels, by a seed.
struct RandomCommands {
    private var state: UInt64
    private var sent = 0

    init(seed: UInt64) { state = seed }

    mutating func random(_ below: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % below
    }

    static let channels = ["general", "den", "attic"]

    mutating func next() -> (json: String, actor: String) {
        let words = ["hello", "@ann", "@bob", "@Cleo", "crowbar", "`@ann`", "ünï", "x"]
        let (user, channel) = (["ann", "bob", "cleo"][random(3)], Self.channels[random(3)])
        let (other, reaction) = (["ann", "bob", "cleo"][random(3)], ["👍", ":ok:"][random(2)])
        let text = (0...random(4)).map { _ in words[random(words.count)] }.joined(separator: " ")
        let message = #""messageId":"m\#(random(sent + 1))""#
        let json: String
        switch random(20) {
        case 0: json = #"{"type":"REGISTER_USER","userId":"\#(user)","name":"Name of \#(user)"}"#
        case 1: json = #"{"type":"RENAME_USER","name":"\#(["Ann", "Bob", "Cleo", "Zoë"][random(4)])"}"#
        case 2:
            let isPrivate = random(2) == 0 ? #","private":true"# : ""
            json = #"{"type":"CREATE_CHANNEL","channelId":"\#(channel)"\#(isPrivate)}"#
        case 12: json = #"{"type":"INVITE_USER","channelId":"\#(channel)","invitee":"\#(other)"}"#
        case 13: json = #"{"type":"REMOVE_USER","channelId":"\#(channel)","member":"\#(other)"}"#
        case 14...15:
            let type = random(3) == 0 ? "REMOVE_REACTION" : "ADD_REACTION"
            json = #"{"type":"\#(type)","channelId":"\#(channel)",\#(message),"reaction":"\#(reaction)"}"#
        case 3 where random(4) == 0: json = #"{"type":"DESTROY_CHANNEL","channelId":"\#(channel)"}"#
        case 4...5: json = #"{"type":"JOIN_CHANNEL","channelId":"\#(channel)"}"#
        case 6: json = #"{"type":"LEAVE_CHANNEL","channelId":"\#(channel)"}"#
        case 7: json = #"{"type":"SET_TOPIC","channelId":"\#(channel)","topic":"\#(text)"}"#
        case 8...10: json = #"{"type":"EDIT_MESSAGE","channelId":"\#(channel)",\#(message),"message":"\#(text)"}"#
        case 11: json = #"{"type":"DELETE_MESSAGE","channelId":"\#(channel)",\#(message)}"#
        default:
            sent += 1
            json = #"{"type":"SEND_MESSAGE","channelId":"\#(channel)","messageId":"m\#(sent)","message":"\#(text)"}"#
        }
        return (json, user)
    }

    /// Makes sure that a channel is there with two members, three messages, a mention and a reaction.
    static func furnish(_ channel: String, of driver: LogDriver) async throws {
        let id = #""channelId":"\#(channel)""#
        _ = try await driver.send(#"{"type":"CREATE_CHANNEL",\#(id)}"#)
        for user in ["ann", "bob"] {
            _ = try await driver.send(#"{"type":"JOIN_CHANNEL",\#(id)}"#, as: user, isAdmin: true)
        }
        for number in 0..<3 {
            try await driver.store(#"{"type":"SEND_MESSAGE",\#(id),"messageId":"f\#(number)","message":"dear @bob"}"#)
        }
        try await driver.store(#"{"type":"ADD_REACTION",\#(id),"messageId":"f1","reaction":":ok:"}"#, as: "bob")
    }

    /// Sends some to a log; what is refused is refused.
    static func send(_ seed: UInt64, count: Int, to driver: LogDriver) async throws {
        var commands = RandomCommands(seed: seed)
        for _ in 0..<count {
            let command = commands.next()
            _ = try await driver.send(command.json, as: command.actor)
        }
    }
}
