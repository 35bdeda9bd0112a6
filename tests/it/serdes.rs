//! The tables that Athena documents for the logs of AWS services and of Apache, on lines of their
//! formats.

use crate::harness::files::{Folder, through};
use crate::harness::{Client, Server};

const TEXT_FORMATS: &str = "STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat' \
     OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'";
const RECORD_FORMATS: &str = "STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat' \
     OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'";

struct Logs {
    admin: Client,
    folder: Folder,
    table: String,
}

impl Logs {
    /// Creates a table `serdes.<name>` on a folder of its own; `after` is what follows LOCATION.
    async fn new(name: &str, before: &str, after: &str) -> Self {
        let server = Server::shared();
        let admin = server.connect("admin").await;
        let folder = Folder::new(server, name);
        admin.run("CREATE DATABASE IF NOT EXISTS serdes").await;
        let table = format!("serdes.{name}");
        let location = &folder.location;
        admin
            .run(&format!(
                "CREATE EXTERNAL TABLE {table} ({before} LOCATION '{location}' {after}"
            ))
            .await;
        Self {
            admin,
            folder,
            table,
        }
    }

    async fn select(&self, columns: &str) -> String {
        let sql = format!("SELECT {columns} FROM {} ORDER BY 1 NULLS LAST", self.table);
        self.admin.text(&sql).await
    }

    /// SHOW CREATE TABLE names the classes and the properties.
    async fn shows(&self, parts: &[&str]) {
        let shown = self
            .admin
            .text(&format!("SHOW CREATE TABLE {}", self.table))
            .await;
        for part in parts {
            assert!(shown.contains(part), "{part} is missing in: {shown}");
        }
    }
}

const APACHE: &str = r#"192.0.2.10 - - [05/Mar/2024:10:01:02 +0100] "GET /index.html HTTP/1.1" 200 5120 "https://example.com/start" "Mozilla/5.0 (X11)"
198.51.100.7 - ann [05/Mar/2024:10:01:03 +0100] "POST /login?next=%2F HTTP/2.0" 302 - "-" "curl/8.5.0"
this line is no access
"#;

#[tokio::test]
async fn apache_access_logs_by_grok_and_by_regex() {
    let grok = Logs::new(
        "apache_grok",
        &format!(
            "clientip STRING, auth STRING, `timestamp` STRING, verb STRING, request STRING, response INT, bytes BIGINT, referrer STRING, agent STRING)
             ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'
             WITH SERDEPROPERTIES ('input.format' = '%{{COMBINEDAPACHELOG}}')
             {TEXT_FORMATS}"
        ),
        "",
    )
    .await;
    grok.folder.put("access.log", APACHE);
    assert_eq!(
        grok.select("clientip, auth, \"timestamp\", verb, request, response, bytes, agent")
            .await,
        "192.0.2.10|-|05/Mar/2024:10:01:02 +0100|GET|/index.html|200|5120|Mozilla/5.0 (X11)\n\
         198.51.100.7|ann|05/Mar/2024:10:01:03 +0100|POST|/login?next=%2F|302|NULL|curl/8.5.0\n\
         NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL"
    );
    assert_eq!(grok.select("count(*)").await, "3");
    grok.shows(&[
        "com.amazonaws.glue.serde.GrokSerDe",
        "%{COMBINEDAPACHELOG}",
        "TextInputFormat",
    ])
    .await;

    let own = Logs::new(
        "apache_fields",
        &format!(
            "client_ip STRING, client_id STRING, user_id STRING, request_received_time STRING, client_request STRING, server_status STRING, returned_obj_size STRING)
             ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'
             WITH SERDEPROPERTIES ('input.format' = '^%{{IPV4:client_ip}} %{{DATA:client_id}} %{{USERNAME:user_id}} %{{GREEDYDATA:request_received_time}} %{{QUOTEDSTRING:client_request}} %{{DATA:server_status}} %{{DATA: returned_obj_size}}$')
             {TEXT_FORMATS}"
        ),
        "",
    )
    .await;
    own.folder.put(
        "common.log",
        "203.0.113.9 - frank [10/Oct/2023:13:55:36 -0700] \"GET /a.gif HTTP/1.0\" 200 2326\n",
    );
    assert_eq!(
        own.select("*").await,
        "203.0.113.9|-|frank|[10/Oct/2023:13:55:36 -0700]|GET /a.gif HTTP/1.0|200|2326"
    );

    let regex = Logs::new(
        "apache_regex",
        r#"client_ip STRING, client_id STRING, user_id STRING, request_received_time STRING, client_request STRING, server_status INT, returned_obj_size BIGINT)
        ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
        WITH SERDEPROPERTIES ('input.regex' = '([^ ]*) ([^ ]*) ([^ ]*) (-|\\[[^\\]]*\\]) ([^ \"]*|\"[^\"]*\") (-|[0-9]*) (-|[0-9]*)(?: [^ \"]*|\"[^\"]*\")?.*')"#,
        "",
    )
    .await;
    regex.folder.put("access.log", APACHE);
    assert_eq!(
        regex.select("*").await,
        "192.0.2.10|-|-|[05/Mar/2024:10:01:02 +0100]|\"GET /index.html HTTP/1.1\"|200|5120\n\
         198.51.100.7|-|ann|[05/Mar/2024:10:01:03 +0100]|\"POST /login?next=%2F HTTP/2.0\"|302|NULL\n\
         NULL|NULL|NULL|NULL|NULL|NULL|NULL"
    );
}

#[tokio::test]
async fn custom_logs_by_grok_patterns_of_their_own() {
    let mail = Logs::new(
        "mail",
        &format!(
            "syslogbase STRING, queue_id STRING, syslog_message STRING) PARTITIONED BY (year STRING, month STRING)
             ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'
             WITH SERDEPROPERTIES (
               'input.grokCustomPatterns' = 'POSTFIX_QUEUEID [0-9A-F]{{7,12}}',
               'input.format' = '%{{SYSLOGBASE}} %{{POSTFIX_QUEUEID:queue_id}}: %{{GREEDYDATA:syslog_message}}')
             {TEXT_FORMATS}"
        ),
        "",
    )
    .await;
    mail.folder.put(
        "year=2024/month=02/mail.log",
        "Feb  9 07:14:09 mx1 postfix/smtpd[15620]: 7D3A14C0B2: client=unknown[192.0.2.44]\n",
    );
    mail.admin
        .run(&format!("MSCK REPAIR TABLE {}", mail.table))
        .await;
    assert_eq!(
        mail.select("syslogbase, queue_id, syslog_message, year, month")
            .await,
        "Feb  9 07:14:09 mx1 postfix/smtpd[15620]:|7D3A14C0B2|client=unknown[192.0.2.44]|2024|02"
    );

    let log4j = Logs::new(
        "log4j",
        &format!(
            r"logged TIMESTAMP, level STRING, thread STRING, class STRING, message STRING)
             ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'
             WITH SERDEPROPERTIES (
               'input.grokCustomPatterns' = 'THREAD [^\\]]+\nSTAMP %{{YEAR}}-%{{MONTHNUM}}-%{{MONTHDAY}} %{{TIME}}',
               'input.format' = '^%{{STAMP:logged}} %{{LOGLEVEL:level}} +\\[%{{THREAD:thread}}\\] %{{JAVACLASS:class}}: %{{GREEDYDATA:message}}')
             {TEXT_FORMATS}"
        ),
        "",
    )
    .await;
    log4j.folder.put(
        "app.log",
        "2024-03-01 12:00:00.125 WARN  [pool-1 worker] org.example.Shop: slow [3 s]\n\
         \tat org.example.Shop.buy(Shop.java:12)\n",
    );
    assert_eq!(
        log4j.select("level, thread, class, message, logged").await,
        "WARN|pool-1 worker|org.example.Shop|slow [3 s]|2024-03-01 12:00:00.125\nNULL|NULL|NULL|NULL|NULL"
    );
}

#[tokio::test]
async fn logs_of_application_and_classic_load_balancers() {
    let alb = Logs::new(
        "alb",
        r#"type string, time string, elb string, client_ip string, client_port int, target_ip string, target_port int,
        request_processing_time double, target_processing_time double, response_processing_time double,
        elb_status_code int, target_status_code string, received_bytes bigint, sent_bytes bigint,
        request_verb string, request_url string, request_proto string, user_agent string, ssl_cipher string,
        ssl_protocol string, target_group_arn string, trace_id string, domain_name string, chosen_cert_arn string,
        matched_rule_priority string, request_creation_time string, actions_executed string, redirect_url string,
        lambda_error_reason string, target_port_list string, target_status_code_list string, classification string,
        classification_reason string, conn_trace_id string)
        PARTITIONED BY (day STRING)
        ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
        WITH SERDEPROPERTIES ('serialization.format' = '1', 'input.regex' =
        '([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*):([0-9]*) ([^ ]*)[:-]([0-9]*) ([-.0-9]*) ([-.0-9]*) ([-.0-9]*) (|[-0-9]*) (-|[-0-9]*) ([-0-9]*) ([-0-9]*) \"([^ ]*) (.*) (- |[^ ]*)\" \"([^\"]*)\" ([A-Z0-9-_]+) ([A-Za-z0-9.-]*) ([^ ]*) \"([^\"]*)\" \"([^\"]*)\" \"([^\"]*)\" ([-.0-9]*) ([^ ]*) \"([^\"]*)\" \"([^\"]*)\" \"([^ ]*)\" \"([^\\s]+?)\" \"([^\\s]+)\" \"([^ ]*)\" \"([^ ]*)\" ?([^ ]*)?')"#,
        "",
    )
    .await;
    let lines = "\
https 2024-05-01T08:00:00.120000Z app/shop/0a1b2c3d4e5f6071 192.0.2.61:51034 10.0.3.7:8080 0.001 0.014 0.000 200 200 310 4096 \"GET https://shop.example.com:443/cart?id=7 HTTP/2.0\" \"Mozilla/5.0 (iPhone)\" TLS_AES_128_GCM_SHA256 TLSv1.3 arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/6d0ecf831eec9f09 \"Root=1-66320000-0123456789abcdef01234567\" \"shop.example.com\" \"arn:aws:acm:eu-west-1:111122223333:certificate/12345678\" 1 2024-05-01T08:00:00.105000Z \"forward\" \"-\" \"-\" \"10.0.3.7:8080\" \"200\" \"-\" \"-\" TID_0f1e2d3c\n\
http 2024-05-01T08:00:01.000000Z app/shop/0a1b2c3d4e5f6071 192.0.2.62:40000 - -1 -1 -1 503 - 150 0 \"GET http://shop.example.com:80/ HTTP/1.1\" \"-\" - - - \"-\" \"-\" \"-\" 0 2024-05-01T08:00:00.990000Z \"fixed-response\" \"-\" \"-\" \"-\" \"-\" \"-\" \"-\"\n";
    alb.folder
        .put("day=2024-05-01/a.log.gz", through("gzip", lines.as_bytes()));
    alb.admin
        .run(&format!(
            "ALTER TABLE {} ADD PARTITION (day = '2024-05-01')",
            alb.table
        ))
        .await;
    assert_eq!(
        alb.select("time, client_ip, client_port, target_ip, target_port, target_processing_time, elb_status_code, request_url, ssl_protocol, target_status_code_list, conn_trace_id").await,
        "2024-05-01T08:00:00.120000Z|192.0.2.61|51034|10.0.3.7|8080|0.014|200|https://shop.example.com:443/cart?id=7|TLSv1.3|200|TID_0f1e2d3c\n\
         2024-05-01T08:00:01.000000Z|192.0.2.62|40000||NULL|-1|503|http://shop.example.com:80/|-|-|"
    );
    alb.shows(&["org.apache.hadoop.hive.serde2.RegexSerDe", "input.regex"])
        .await;

    let elb = Logs::new(
        "elb",
        r#"`timestamp` string, elb_name string, request_ip string, request_port int, backend_ip string, backend_port int,
        request_processing_time double, backend_processing_time double, client_response_time double,
        elb_response_code string, backend_response_code string, received_bytes bigint, sent_bytes bigint,
        request_verb string, url string, protocol string, user_agent string, ssl_cipher string, ssl_protocol string)
        ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
        WITH SERDEPROPERTIES ('serialization.format' = '1', 'input.regex' =
        '([^ ]*) ([^ ]*) ([^ ]*):([0-9]*) ([^ ]*)[:-]([0-9]*) ([-.0-9]*) ([-.0-9]*) ([-.0-9]*) (|[-0-9]*) (-|[-0-9]*) ([-0-9]*) ([-0-9]*) \\\"([^ ]*) ([^ ]*) (- |[^ ]*)\\\" (\"[^\"]*\") ([A-Z0-9-]+) ([A-Za-z0-9.-]*)$')
        STORED AS TEXTFILE"#,
        "",
    )
    .await;
    elb.folder.put(
        "elb.log",
        "2024-05-01T09:30:00.000001Z old-lb 192.0.2.71:33000 10.0.1.5:80 0.000042 0.002 0.000021 200 200 0 57 \"GET http://old.example.com:80/x HTTP/1.1\" \"check/1.0\" - -\n",
    );
    assert_eq!(
        elb.select("request_ip, request_port, backend_ip, backend_port, sent_bytes, request_verb, url, user_agent, ssl_protocol").await,
        "192.0.2.71|33000|10.0.1.5|80|57|GET|http://old.example.com:80/x|\"check/1.0\"|-"
    );
}

#[tokio::test]
async fn cloudfront_and_vpc_flow_logs_by_delimiters() {
    let cloudfront = Logs::new(
        "cloudfront",
        r"`date` DATE, time STRING, x_edge_location STRING, sc_bytes BIGINT, c_ip STRING, cs_method STRING, cs_host STRING,
        cs_uri_stem STRING, sc_status INT, cs_referrer STRING, cs_user_agent STRING, cs_uri_query STRING, cs_cookie STRING,
        x_edge_result_type STRING, x_edge_request_id STRING, x_host_header STRING, cs_protocol STRING, cs_bytes BIGINT,
        time_taken FLOAT, x_forwarded_for STRING, ssl_protocol STRING, ssl_cipher STRING, x_edge_response_result_type STRING,
        cs_protocol_version STRING, fle_status STRING, fle_encrypted_fields INT, c_port INT, time_to_first_byte FLOAT,
        x_edge_detailed_result_type STRING, sc_content_type STRING, sc_content_len BIGINT, sc_range_start BIGINT, sc_range_end BIGINT)
        ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t'",
        "TBLPROPERTIES ('skip.header.line.count' = '2')",
    )
    .await;
    let row = "2024-05-02|06:07:08|LHR61-C1|4096|192.0.2.81|GET|d111.cloudfront.net|/img/a.png|200|-|Mozilla/5.0%20(X11)|-|-|Hit|AbC123==|img.example.com|https|250|0.004|-|TLSv1.3|TLS_AES_128_GCM_SHA256|Hit|HTTP/2.0|-|-|50123|0.004|Hit|image/png|3900|-|-";
    cloudfront.folder.put(
        "log",
        format!(
            "#Version: 1.0\n#Fields: date time\n{}\n",
            row.replace('|', "\t")
        ),
    );
    assert_eq!(
        cloudfront
            .select("\"date\", time, sc_bytes, cs_uri_stem, sc_status, time_taken, fle_encrypted_fields, c_port, sc_content_len, sc_range_end")
            .await,
        "2024-05-02|06:07:08|4096|/img/a.png|200|0.004|NULL|50123|3900|NULL"
    );

    let vpc = Logs::new(
        "vpc",
        "version int, account_id string, interface_id string, srcaddr string, dstaddr string, srcport int, dstport int,
         protocol bigint, packets bigint, bytes bigint, start bigint, `end` bigint, action string, log_status string)
         PARTITIONED BY (`date` date)
         ROW FORMAT DELIMITED FIELDS TERMINATED BY ' '",
        "TBLPROPERTIES ('skip.header.line.count' = '1')",
    )
    .await;
    vpc.folder.put(
        "2024/05/03/flow.log.gz",
        through(
            "gzip",
            b"version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n\
              2 111122223333 eni-0a1b 192.0.2.91 10.0.0.5 443 51000 6 12 3400 1714700000 1714700060 ACCEPT OK\n\
              2 111122223333 eni-0a1b - - - - - - - 1714700060 1714700120 - NODATA\n",
        ),
    );
    vpc.admin
        .run(&format!(
            "ALTER TABLE {} ADD PARTITION (`date` = '2024-05-03') LOCATION '{}2024/05/03/'",
            vpc.table, vpc.folder.location
        ))
        .await;
    assert_eq!(
        vpc.select("start, srcaddr, dstport, bytes, action, log_status, \"date\"")
            .await,
        "1714700000|192.0.2.91|51000|3400|ACCEPT|OK|2024-05-03\n\
         1714700060|-|NULL|NULL|-|NODATA|2024-05-03"
    );
}

#[tokio::test]
async fn s3_server_access_logs_by_regex() {
    let logs = Logs::new(
        "s3_access",
        r#"`bucketowner` STRING, `bucket_name` STRING, `requestdatetime` STRING, `remoteip` STRING, `requester` STRING,
        `requestid` STRING, `operation` STRING, `key` STRING, `request_uri` STRING, `httpstatus` STRING, `errorcode` STRING,
        `bytessent` BIGINT, `objectsize` BIGINT, `totaltime` STRING, `turnaroundtime` STRING, `referrer` STRING,
        `useragent` STRING, `versionid` STRING, `hostid` STRING, `sigv` STRING, `ciphersuite` STRING, `authtype` STRING,
        `endpoint` STRING, `tlsversion` STRING, `accesspointarn` STRING, `aclrequired` STRING)
        ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
        WITH SERDEPROPERTIES ('input.regex' =
        '([^ ]*) ([^ ]*) \\[(.*?)\\] ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) (\"[^\"]*\"|-) (-|[0-9]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) (\"[^\"]*\"|-) ([^ ]*)(?: ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*))?.*$')
        STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
        OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'"#,
        "",
    )
    .await;
    logs.folder.put(
        "log",
        "0123abcd lake [06/Feb/2024:00:00:38 +0000] 192.0.2.3 arn:aws:iam::111122223333:user/ann 3E57427F3EXAMPLE REST.GET.OBJECT raw/a.json \"GET /lake/raw/a.json HTTP/1.1\" 200 - 2662 3462992 70 10 \"-\" \"aws-cli/2.15\" - hostid== SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader lake.s3.eu-west-1.amazonaws.com TLSv1.2 - Yes\n\
         0123abcd lake [06/Feb/2024:00:00:39 +0000] - - 4E57427F3EXAMPLE S3.EXPIRE.OBJECT raw/b.json - - - - 10 - - - - -\n",
    );
    assert_eq!(
        logs.select("requestid, operation, key, request_uri, httpstatus, bytessent, objectsize, sigv, aclrequired").await,
        "3E57427F3EXAMPLE|REST.GET.OBJECT|raw/a.json|\"GET /lake/raw/a.json HTTP/1.1\"|200|2662|3462992|SigV4|Yes\n\
         4E57427F3EXAMPLE|S3.EXPIRE.OBJECT|raw/b.json|-|-|NULL|10|NULL|NULL"
    );
}

const TRAIL_COLUMNS: &str = "eventversion STRING,
    useridentity STRUCT<type:STRING, principalid:STRING, arn:STRING, accountid:STRING, invokedby:STRING,
      accesskeyid:STRING, username:STRING,
      sessioncontext:STRUCT<attributes:STRUCT<mfaauthenticated:STRING, creationdate:STRING>,
        sessionissuer:STRUCT<type:STRING, principalid:STRING, arn:STRING, accountid:STRING, username:STRING>,
        ec2roledelivery:STRING,
        webidfederationdata:STRUCT<federatedprovider:STRING, attributes:MAP<STRING,STRING>>>>,
    eventtime STRING, eventsource STRING, eventname STRING, awsregion STRING, sourceipaddress STRING,
    useragent STRING, errorcode STRING, errormessage STRING, requestparameters STRING, responseelements STRING,
    additionaleventdata STRING, requestid STRING, eventid STRING,
    resources ARRAY<STRUCT<arn:STRING, accountid:STRING, type:STRING>>,
    eventtype STRING, apiversion STRING, readonly STRING, recipientaccountid STRING, serviceeventdetails STRING,
    sharedeventid STRING, vpcendpointid STRING,
    tlsdetails STRUCT<tlsversion:STRING, ciphersuite:STRING, clientprovidedhostheader:STRING>";

const TRAIL: &str = r#"{"Records":[
{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/etl/job","sessionContext":{"sessionIssuer":{"type":"Role","userName":"etl"},"attributes":{"mfaAuthenticated":"false","creationDate":"2024-05-04T01:00:00Z"}}},"eventTime":"2024-05-04T01:02:03Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"eu-west-1","requestParameters":{"bucketName":"lake","key":"a/{b}.json"},"responseElements":null,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::lake/a"},{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::lake"}],"readOnly":false,"tlsDetails":{"tlsVersion":"TLSv1.3"}},
{"eventVersion":"1.09","userIdentity":{"type":"AWSService","invokedBy":"kms.amazonaws.com"},"eventTime":"2024-05-04T01:02:04Z","eventName":"RotateKey","requestParameters":null,"readOnly":true}
]}"#;

#[tokio::test]
async fn cloudtrail_logs_by_both_classes() {
    for (name, class) in [
        ("trail", "com.amazon.emr.hive.serde.CloudTrailSerde"),
        ("trail_json", "org.apache.hive.hcatalog.data.JsonSerDe"),
    ] {
        let trail = Logs::new(
            name,
            &format!("{TRAIL_COLUMNS}) ROW FORMAT SERDE '{class}' {RECORD_FORMATS}"),
            "",
        )
        .await;
        trail
            .folder
            .put("a.json.gz", through("gzip", TRAIL.as_bytes()));
        assert_eq!(
            trail.select("eventtime, eventname, useridentity.type, useridentity.sessioncontext.sessionissuer.username, requestparameters, resources[2]['arn'], readonly, tlsdetails.tlsversion").await,
            "2024-05-04T01:02:03Z|PutObject|AssumedRole|etl|{\"bucketName\":\"lake\",\"key\":\"a/{b}.json\"}|arn:aws:s3:::lake|false|TLSv1.3\n\
             2024-05-04T01:02:04Z|RotateKey|AWSService|NULL|NULL|NULL|true|NULL"
        );
        trail.shows(&[class, "CloudTrailInputFormat"]).await;
    }
}

#[tokio::test]
async fn waf_and_resolver_logs_as_json() {
    let waf = Logs::new(
        "waf",
        &format!(
            "`timestamp` bigint, `formatversion` int, `webaclid` string, `terminatingruleid` string, `terminatingruletype` string, `action` string,
             `terminatingrulematchdetails` array<struct<conditiontype:string,sensitivitylevel:string,location:string,matcheddata:array<string>>>,
             `httpsourcename` string, `httpsourceid` string,
             `rulegrouplist` array<struct<rulegroupid:string,terminatingrule:struct<ruleid:string,action:string,rulematchdetails:array<struct<conditiontype:string,sensitivitylevel:string,location:string,matcheddata:array<string>>>>,nonterminatingmatchingrules:array<struct<ruleid:string,action:string>>,excludedrules:string>>,
             `ratebasedrulelist` array<struct<ratebasedruleid:string,limitkey:string,maxrateallowed:int>>,
             `requestheadersinserted` array<struct<name:string,value:string>>, `responsecodesent` string,
             `httprequest` struct<clientip:string,country:string,headers:array<struct<name:string,value:string>>,uri:string,args:string,httpversion:string,httpmethod:string,requestid:string>,
             `labels` array<struct<name:string>>)
             ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' {TEXT_FORMATS}"
        ),
        "",
    )
    .await;
    waf.folder.put(
        "waf.json",
        r#"{"timestamp":1714800000123,"formatVersion":1,"webaclId":"arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/shop","terminatingRuleId":"Bots","terminatingRuleType":"REGULAR","action":"BLOCK","terminatingRuleMatchDetails":[{"conditionType":"SQL_INJECTION","sensitivityLevel":"HIGH","location":"HEADER","matchedData":["10","AND","1"]}],"httpSourceName":"ALB","httpSourceId":"app/shop","ruleGroupList":[{"ruleGroupId":"g1","terminatingRule":{"ruleId":"r1","action":"BLOCK","ruleMatchDetails":null},"nonTerminatingMatchingRules":[],"excludedRules":null}],"rateBasedRuleList":[],"requestHeadersInserted":null,"responseCodeSent":null,"httpRequest":{"clientIp":"192.0.2.99","country":"DE","headers":[{"name":"Host","value":"shop.example.com"},{"name":"User-Agent","value":"x"}],"uri":"/cart","args":"","httpVersion":"HTTP/1.1","httpMethod":"GET","requestId":"1"},"labels":[{"name":"awswaf:a"}]}
"#,
    );
    assert_eq!(
        waf.select("\"timestamp\", action, terminatingrulematchdetails[1]['matcheddata'][2], rulegrouplist[1]['terminatingrule']['ruleid'], cardinality(ratebasedrulelist), httprequest.headers[1]['value'], httprequest.clientip, labels[1]['name']").await,
        "1714800000123|BLOCK|AND|r1|0|shop.example.com|192.0.2.99|awswaf:a"
    );

    let resolver = Logs::new(
        "resolver",
        &format!(
            "version string, account_id string, region string, vpc_id string, query_timestamp string, query_name string,
             query_type string, query_class string, rcode string,
             answers array<struct<Rdata: string, Type: string, Class: string>>,
             srcaddr string, srcport int, transport string,
             srcids struct<instance: string, resolver_endpoint: string>,
             firewall_rule_action string, firewall_rule_group_id string, firewall_domain_list_id string)
             ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' {TEXT_FORMATS}"
        ),
        "",
    )
    .await;
    resolver.folder.put(
        "r.json.gz",
        through(
            "gzip",
            br#"{"version":"1.100000","account_id":"111122223333","region":"eu-west-1","vpc_id":"vpc-01","query_timestamp":"2024-05-05T00:00:00Z","query_name":"example.com.","query_type":"A","query_class":"IN","rcode":"NOERROR","answers":[{"Rdata":"192.0.2.1","Type":"A","Class":"IN"},{"Rdata":"192.0.2.2","Type":"A","Class":"IN"}],"srcaddr":"10.0.0.9","srcport":"41000","transport":"UDP","srcids":{"instance":"i-0a"}}
"#,
        ),
    );
    assert_eq!(
        resolver.select("query_name, rcode, cardinality(answers), answers[2]['rdata'], srcport, srcids.instance, firewall_rule_action").await,
        "example.com.|NOERROR|2|192.0.2.2|41000|i-0a|NULL"
    );
}

#[tokio::test]
async fn definitions_that_cannot_be_read_are_refused_by_name() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "refused");
    admin.run("CREATE DATABASE IF NOT EXISTS serdes").await;
    let regex = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'";
    let grok = "ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'";
    for (columns, rest, parts) in [
        ("a string", regex.to_owned(), ["input.regex", "RegexSerDe"]),
        (
            "a string, b int",
            format!("{regex} WITH SERDEPROPERTIES ('input.regex' = '(.*)')"),
            ["1 groups", "2 columns"],
        ),
        (
            "a string",
            format!("{regex} WITH SERDEPROPERTIES ('input.regex' = '(.*')"),
            ["input.regex", "( lacks its )"],
        ),
        (
            "a array<int>",
            format!("{regex} WITH SERDEPROPERTIES ('input.regex' = '(.*)')"),
            ["\"a\"", "RegexSerDe"],
        ),
        (
            "a string",
            format!("{grok} WITH SERDEPROPERTIES ('input.format' = '%{{NOPE:a}}')"),
            ["NOPE", "Grok"],
        ),
        (
            "a string",
            format!(
                r"{grok} WITH SERDEPROPERTIES ('input.format' = '%{{A}}', 'input.grokCustomPatterns' = 'A %{{B}}\nB %{{A}}')"
            ),
            ["refers to itself", "A → B → A"],
        ),
    ] {
        let sql = format!(
            "CREATE EXTERNAL TABLE serdes.refused ({columns}) {rest} LOCATION '{}'",
            folder.location
        );
        admin.fails(&sql).await.names(&parts);
    }
}
