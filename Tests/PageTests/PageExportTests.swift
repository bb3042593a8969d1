import CrowbarPage
import JSONBytes
import Testing

@testable import crowbar

/// The web page's files for static hosting, without a browser.
@Suite struct PageExportTests {
    @Test(
        arguments: [
            ("https://chat.example.org", "https://chat.example.org"),
            ("https://chat.example.org/", "https://chat.example.org"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"), ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://chat.example.org/path", nil), ("https://a?x", nil), ("ftp://a", nil), ("https://", nil),
            ("chat", nil),
            ("https://a b", nil), ("https://a\";script-src *", nil), ("https://a;b", nil),
        ] as [(String, String?)]) func originsAreChecked(_ text: String, _ origin: String?)
    {
        #expect(PageExport.origin(text) == origin)
    }

    @Test func theExportHasAllFilesAndAPolicy() throws {
        let files = PageExport.files(api: "https://chat.example.org")
        #expect(files.count == PageFiles.all.count + 1)
        #expect(files.last?.path == "index.html")
        let index = String(decoding: files.last?.text ?? [], as: UTF8.self)
        #expect(index.contains("connect-src 'self' https://chat.example.org; base-uri 'none'"))
        // The policy applies to what follows it.
        let policy = try #require(index.ranges(of: "Content-Security-Policy").first)
        let script = try #require(index.ranges(of: "<script").first)
        #expect(policy.lowerBound < script.lowerBound)
        let config = try #require(files.first { $0.path == "config.json" })
        #expect(try JSON(parsing: config.text)["api"]?.string == "https://chat.example.org")
        for file in files where file.path.hasPrefix("p/") {
            #expect(file.path.hasPrefix("p/\(PageFiles.release)/"), "\(file.path)")
        }
    }
}
