// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let http1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")

let package = Package(
    name: "crowbar",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "crowbar", targets: ["crowbar"]),
        .executable(name: "crowbar-irc", targets: ["IRCBridge"]),
        .executable(name: "crowbar-webhook", targets: ["Webhook"]),
        .executable(name: "crowbar-aws", targets: ["AWS"]),
        .executable(name: "crowbar-launch", targets: ["Launcher"]),
        .executable(name: "crowbar-bench-follow", targets: ["BenchmarkFollow"]),
        .executable(name: "crowbar-bench-pipe", targets: ["BenchmarkPipe"]),
        .executable(name: "crowbar-bench-post", targets: ["BenchmarkPost"]),
        .executable(name: "crowbar-bench-rate", targets: ["BenchmarkRate"]),
        .executable(name: "crowbar-bench-relay", targets: ["BenchmarkRelay"]),
        .executable(name: "crowbar-bench-talk", targets: ["BenchmarkTalk"]),
        .library(name: "PluginKit", targets: ["PluginKit"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        // Leaves: bytes, C libraries.
        .target(name: "JSONBytes", swiftSettings: strict),
        .target(name: "Basics", swiftSettings: strict),
        .target(name: "ChatMarkdown", swiftSettings: strict),
        .target(name: "CrowbarMetrics", swiftSettings: strict),
        .target(
            name: "Settings", dependencies: ["JSONBytes", .product(name: "TOMLKit", package: "TOMLKit")],
            swiftSettings: strict),
        .target(
            name: "COpenSSL",
            linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl"), .linkedLibrary("ssl")]),
        .target(name: "OpenSSL", dependencies: ["COpenSSL"] + nio, swiftSettings: strict),
        .target(
            name: "HTTPClient", dependencies: ["Basics", "JSONBytes", "CCurl", "OpenSSL"], swiftSettings: strict),
        .executableTarget(name: "Launcher"),

        // The core and its stores.
        .target(
            name: "CrowbarCore", dependencies: ["ChatMarkdown", "JSONBytes", "CrowbarMetrics", logging],
            swiftSettings: strict),
        .target(
            name: "CrowbarSQLite",
            dependencies: [
                "CrowbarCore", "JSONBytes", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict),

        .target(
            name: "CrowbarViews",
            dependencies: [
                "CrowbarCore", "CrowbarSQLite", "HTTPClient", "OpenSSL", "JSONBytes", "CrowbarMetrics", logging,
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),

        .target(name: "Identity", dependencies: ["CrowbarCore", "JSONBytes", "OpenSSL"], swiftSettings: strict),

        .target(
            name: "OpenID", dependencies: ["CrowbarCore", "HTTPClient", "Identity", "JSONBytes", "OpenSSL", logging],
            swiftSettings: strict),

        // Plugins: the protocol, the kit, the host.
        .target(name: "PluginWire", dependencies: ["JSONBytes"], swiftSettings: strict),
        .target(name: "PluginKit", dependencies: ["PluginWire", "JSONBytes"], swiftSettings: strict),
        .target(
            name: "PluginHTTP",
            dependencies: [
                "PluginKit", "PluginWire", "Basics", "HTTPClient", "JSONBytes", "CCurl", "OpenSSL", collections,
            ],
            swiftSettings: strict),
        .target(name: "CSpawn"),
        .target(
            name: "PluginHost",
            dependencies: [
                "CrowbarCore", "PluginWire", "JSONBytes", "CrowbarMetrics", "Settings", "CSpawn", logging, collections,
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "IRCBridge",
            dependencies: [
                "PluginKit", "PluginWire", "Basics", "ChatMarkdown", "JSONBytes", "OpenSSL", collections,
                .product(name: "NIOSOCKS", package: "swift-nio-extras"),
            ] + nio,
            path: "Sources/Plugins/IRCBridge",
            swiftSettings: strict),
        .executableTarget(
            name: "Webhook",
            dependencies: [
                "PluginHTTP", "PluginKit", "PluginWire", "Basics", "HTTPClient", "ChatMarkdown", "JSONBytes", "CCurl",
                "OpenSSL",
            ],
            path: "Sources/Plugins/Webhook",
            swiftSettings: strict),

        .executableTarget(
            name: "AWS",
            dependencies: ["PluginHTTP", "PluginKit", "PluginWire", "Basics", "HTTPClient", "JSONBytes"],
            path: "Sources/Plugins/AWS",
            swiftSettings: strict),

        // The web page and the API's document: their files become sources when they are built.
        .executableTarget(name: "PageEmbedder", swiftSettings: strict),
        .plugin(name: "EmbedPageFiles", capability: .buildTool(), dependencies: ["PageEmbedder"]),
        .target(
            name: "CrowbarPage", exclude: ["Files"], swiftSettings: strict, plugins: ["EmbedPageFiles"]),

        .target(
            name: "PluginConformance",
            dependencies: ["PluginHost", "PluginWire", "CrowbarCore", "JSONBytes"], swiftSettings: strict),

        // The server and its command line.
        .target(
            name: "CrowbarHTTP",
            dependencies: [
                "CrowbarCore", "CrowbarPage", "CrowbarViews", "Identity", "JSONBytes", "CrowbarMetrics", "OpenID",
                "OpenSSL",
                logging, http1,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ] + nio,
            exclude: ["openapi.json"],
            swiftSettings: strict, plugins: ["EmbedPageFiles"]),
        .executableTarget(
            name: "crowbar",
            dependencies: [
                "CrowbarCore", "CrowbarSQLite", "CrowbarViews", "CrowbarHTTP", "CrowbarPage", "HTTPClient", "Identity",
                "CrowbarMetrics", "OpenID",
                "PluginConformance", "PluginHost", "PluginWire", "JSONBytes", "OpenSSL", "Settings", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"), http1,
            ] + nio,
            swiftSettings: strict),

        // What script/bench measures with.
        .executableTarget(name: "BenchmarkFollow", path: "Benchmarks/Follow"),
        .executableTarget(
            name: "BenchmarkPipe", path: "Benchmarks/Pipe", linkerSettings: [.linkedLibrary("sqlite3")]),
        .executableTarget(
            name: "BenchmarkPost", path: "Benchmarks/Post", linkerSettings: [.linkedLibrary("curl")]),
        .executableTarget(name: "BenchmarkRate", path: "Benchmarks/Rate"),
        .executableTarget(name: "BenchmarkRelay", path: "Benchmarks/Relay"),
        .executableTarget(name: "BenchmarkTalk", path: "Benchmarks/Talk"),

        // Tests.
        .target(
            name: "CrowbarTesting",
            dependencies: ["CrowbarCore", "PluginWire", "JSONBytes", logging],
            swiftSettings: strict),
        .testTarget(name: "JSONBytesTests", dependencies: ["JSONBytes", "CrowbarTesting"], swiftSettings: strict),
        .testTarget(name: "CrowbarMetricsTests", dependencies: ["CrowbarMetrics"], swiftSettings: strict),
        .testTarget(name: "ChatMarkdownTests", dependencies: ["ChatMarkdown"], swiftSettings: strict),
        .testTarget(name: "SettingsTests", dependencies: ["Settings", "JSONBytes"], swiftSettings: strict),
        .testTarget(
            name: "CrowbarCoreTests", dependencies: ["CrowbarCore", "CrowbarTesting", "JSONBytes"],
            swiftSettings: strict),
        // Appends until it is killed; the tests of the log start it.
        .executableTarget(
            name: "CrashWriter", dependencies: ["CrowbarSQLite", "CrowbarCore", "CrowbarTesting"],
            path: "Tests/CrashWriter", swiftSettings: strict),
        .testTarget(
            name: "CrowbarSQLiteTests",
            dependencies: [
                "CrowbarSQLite", "CrowbarCore", "CrowbarTesting", "JSONBytes", "CrashWriter",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "CrowbarViewsTests",
            dependencies: [
                "CrowbarViews", "CrowbarCore", "CrowbarSQLite", "CrowbarTesting", "HTTPClient", "JSONBytes", logging,
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            exclude: ["bucket_world.py"],
            swiftSettings: strict),
        .testTarget(
            name: "PluginWireTests", dependencies: ["PluginWire", "JSONBytes", "CrowbarTesting"], swiftSettings: strict),
        .testTarget(
            name: "PluginHostTests",
            dependencies: [
                "PluginHost", "PluginWire", "CrowbarCore", "CrowbarMetrics", "CrowbarSQLite", "CrowbarTesting",
                "JSONBytes", "OpenSSL", "Settings", "Launcher", logging,
            ],
            exclude: ["Plugins"],
            swiftSettings: strict),
        .testTarget(
            name: "PluginConformanceTests",
            dependencies: [
                "PluginConformance", "PluginHost", "PluginWire", "JSONBytes", "CrowbarTesting", "crowbar", "IRCBridge",
                "Webhook", "AWS", "Launcher",
            ],
            exclude: ["Plugins"], swiftSettings: strict),
        .testTarget(
            name: "OpenSSLTests", dependencies: ["OpenSSL", "CrowbarTesting"] + nio, exclude: ["server.py"],
            swiftSettings: strict),
        .testTarget(
            name: "HTTPClientTests", dependencies: ["HTTPClient", "Basics", "JSONBytes", "CrowbarTesting"],
            resources: [.copy("Vectors")], swiftSettings: strict),
        .testTarget(
            name: "IRCBridgeTests",
            dependencies: [
                "IRCBridge", "Basics", "ChatMarkdown", "PluginKit", "PluginWire", "JSONBytes", "OpenSSL",
                "CrowbarTesting", .product(name: "Yams", package: "Yams"),
            ] + nio,
            exclude: [
                "drafts_server.py", "history_server.py", "hostile_server.py", "ircu_server.py", "moments_server.py",
                "receipts_server.py", "rename_server.py", "secure_server.py", "socks_server.py",
            ],
            resources: [.copy("Vectors")],
            swiftSettings: strict),
        .testTarget(
            name: "PluginHTTPTests",
            dependencies: [
                "PluginHTTP", "HTTPClient", "PluginKit", "PluginWire", "JSONBytes", "CrowbarTesting",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "WebhookTests",
            dependencies: [
                "Webhook", "Basics", "HTTPClient", "ChatMarkdown", "PluginHTTP", "PluginKit", "PluginWire",
                "JSONBytes", "CrowbarTesting", "OpenSSL",
            ],
            exclude: [
                "receiver.py", "judge.py", "tls_world.py", "proxy.py", "requirements.txt", "faulty.py",
                "surplus.py", "resolver.c",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "AWSTests",
            dependencies: [
                "AWS", "Basics", "HTTPClient", "PluginHTTP", "PluginKit", "PluginWire", "JSONBytes", "CrowbarTesting",
                "OpenSSL",
            ],
            exclude: ["aws_world.py", "moto_door.py", "requirements.txt"],
            swiftSettings: strict),
        .testTarget(
            name: "IdentityTests",
            dependencies: ["Identity", "CrowbarCore", "CrowbarSQLite", "CrowbarTesting", "JSONBytes", "OpenSSL"],
            exclude: ["oracle.py", "requirements.txt"],
            swiftSettings: strict),
        .testTarget(
            name: "OpenIDTests",
            dependencies: [
                "OpenID", "Identity", "HTTPClient", "CrowbarCore", "CrowbarSQLite", "CrowbarTesting", "JSONBytes",
                "OpenSSL", logging,
            ],
            exclude: [
                "cognito_world.py", "glewlwyd_world.py", "openid_page.py", "provider.py", "requirements.txt",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "CrowbarHTTPTests",
            dependencies: [
                "CrowbarHTTP", "CrowbarCore", "CrowbarMetrics", "CrowbarPage", "CrowbarSQLite", "CrowbarViews",
                "CrowbarTesting",
                "Identity", "JSONBytes", "OpenID", "OpenSSL",
                logging,
                http1,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ] + nio,
            swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "CrowbarTesting", "JSONBytes", "PluginHost", "crowbar", "Identity", "IRCBridge", "OpenID", "Webhook",
                "AWS", "Launcher", logging,
            ],
            exclude: [
                "Matterbridge", "irc_client.py", "openapi_check.py", "openapi_hooks.py", "requirements.txt",
                "tutorial.py",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "PageTests",
            dependencies: ["CrowbarPage", "CrowbarTesting", "JSONBytes", "crowbar", "Launcher"],
            exclude: ["Browser", "Vectors", "requirements.txt"],
            swiftSettings: strict),
        .testTarget(
            name: "DeployTests", dependencies: ["CrowbarTesting", "JSONBytes", "crowbar", "AWS", "Launcher"],
            exclude: ["Judges", "downloads.txt", "tools.txt"], swiftSettings: strict),
        .testTarget(
            name: "SDKTests", dependencies: ["CrowbarTesting", "crowbar", "Launcher"],
            exclude: ["examples_judge.py", "requirements.txt", "test_schema.py", "test_wheel.py"],
            swiftSettings: strict),
        .testTarget(name: "RepositoryTests", swiftSettings: strict),
    ]
)

// Only for script/fuzz, which has a build folder of its own: the bridge as a library, watched by the fuzzer.
if Context.environment["CROWBAR_FUZZ"] != nil {
    package.products = []
    package.targets.removeAll { $0.type == .test || $0.name == "IRCBridge" }
    package.targets += [
        .target(
            name: "IRCBridge",
            dependencies: [
                "PluginKit", "PluginWire", "Basics", "ChatMarkdown", "JSONBytes", "OpenSSL", collections,
                .product(name: "NIOSOCKS", package: "swift-nio-extras"),
            ] + nio,
            path: "Sources/Plugins/IRCBridge", exclude: ["Main.swift"],
            swiftSettings: strict + [.unsafeFlags(["-sanitize=fuzzer"])]),
        .executableTarget(
            name: "FuzzIRC", dependencies: ["IRCBridge", "PluginWire", "JSONBytes"], path: "Fuzz/IRC",
            exclude: ["Seeds", "dictionary.txt"], swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
    ]
}
