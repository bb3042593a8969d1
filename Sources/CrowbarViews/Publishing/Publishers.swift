import HTTPClient
import Logging

/// Copies the views to all targets of the configuration.
public struct Publishers: Sendable {
    /// What the requests of the server say that they come from.
    private static let userAgent = "crowbar/1"

    private let publishers: [Publisher]

    /// Makes the publishers.
    /// - Parameter now: Seconds of Unix time.
    public init(_ targets: [PublishTarget], of views: Views, logger: Logger, now: @escaping @Sendable () -> Int64) {
        publishers = targets.compactMap { target in
            let store: any PublishStore
            switch target.destination {
            case .folder(let path): store = FolderStore(path)
            case .bucket(let bucket):
                guard let requester = HTTPRequester(userAgent: Self.userAgent) else {
                    logger.error("libcurl cannot start; nothing is published", metadata: ["to": "\(target.name)"])
                    return nil
                }
                store = BucketStore(bucket, AWSClient(bucket.credentials, .process, requester, now: now))
            }
            return Publisher(target, store, of: views, logger: logger)
        }
    }

    /// Publishes until the task is cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            for publisher in publishers { group.addTask { await publisher.run() } }
        }
    }
}
