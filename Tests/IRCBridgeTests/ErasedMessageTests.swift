import Testing

@testable import IRCBridge

/// A message whose text was erased from the log is not said.
@Suite struct ErasedMessageTests {
    @Test(arguments: [(#","erased":true"#, false), (#","erased":false"#, true), ("", true)])
    func anErasedMessageIsNotSaid(_ row: (member: String, isSaid: Bool)) {
        for type in ["MESSAGE_SENT", "MESSAGE_EDITED"] {
            let event = #"{"type":"\#(type)","channelId":"general","userId":"ann","message":""\#(row.member)}"#
            #expect((ChatMessage(event: Array(event.utf8)) != nil) == row.isSaid, "\(type)")
        }
    }
}
