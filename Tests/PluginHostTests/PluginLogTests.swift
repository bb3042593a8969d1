import JSONBytes
import Logging
import Testing

@testable import PluginHost

/// What is logged of a plugin, and how often.
@Suite struct PluginLogTests {
    private let captured = CapturedLog()
    private let clock = ClockJump()

    private func log(_ secrets: [String] = []) -> PluginLog {
        let clock = clock
        return PluginLog(
            logger: Logger(label: "test") { [captured] _ in captured.handler }, secrets: secrets, now: { clock.by })
    }

    @Test func whatThePluginBringsAboutIsToldAsSparinglyAsWhatItSays() {
        let log = log()
        for i in 0..<300 {
            log.remark(.warning, "remark \(i)")
            log.message(level: "info", "message \(i)", fields: nil)
            Array("line \(i)".utf8).withUnsafeBytes { log.line($0, stray: true) }
        }
        #expect(captured.all.count == 200)
        // Of a line that was dropped too, as it may be the last.
        #expect(log.lastLine == "line 299")
        clock.set(1_000)
        log.remark(.warning, "later")
        #expect(captured.all.dropFirst(200).contains { $0.contains("700 log lines of this plugin were dropped") })
        #expect(captured.all.last?.contains("later") == true)
        // What is the host's own is not the plugin's to suppress.
        for i in 0..<300 { log.note(.info, "note \(i)") }
        #expect(captured.all.filter { $0.contains("note ") }.count == 300)
    }

    @Test func everythingIsOneLineCutAndMasked() {
        let log = log(["the-secret"])
        let text = "a\nb\r\nc\u{1B}[2J\u{7F}\u{9B}\u{85}\u{2028}\u{2029}\td the-secret"
        let shown = "a�b��c�[2J�����\td ***"
        log.note(.info, text)
        log.remark(.info, text)
        log.message(level: "info", text, fields: .object([.init("the-secret", .string("\u{7F}"))]))
        Array(text.utf8).withUnsafeBytes { log.line($0, stray: false) }
        #expect(log.lastLine == shown)
        #expect(captured.all.count == 4 && captured.all.allSatisfy { $0.contains(shown) })
        #expect(captured.all[2].contains(#"{"***":"�"}"#))
        log.note(.info, String(repeating: "x", count: 10_000))
        #expect(captured.all.last.map { $0.utf8.count < 8_300 } == true)
    }
}
